import { hash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { X509Svid } from '#certs/svid.ts';
import { trustBundleToPem, type TrustBundle } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import type { Caller } from '#control-plane/sts/client.ts';
import type { RefusedToken, Sts, TokenRequest } from '#control-plane/sts/sts.ts';
import { presentedChain, tls13 } from '#proto/pinned-tls.ts';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import { readCredentials, type Certificate } from './client-credentials.ts';
import { discoveryDocument } from './discovery-document.ts';
import { readForm, type Form } from './form.ts';

export interface TokensHttpParts {
  readonly listen: { readonly host: string; readonly port: number };
  /** What clients see: PEM of a certificate for the issuer's host, and its key. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** Whose SVIDs are clients. */
  readonly bundle: TrustBundle;
  readonly sts: Sts;
  /** How long verifiers may keep the keys. */
  readonly keysMaxAgeSeconds: number;
  readonly clock: Clock;
  onFault(error: unknown): void;
}

export interface TokensHttp {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** A subject token and an assertion of 8 KiB each, encoded, fit. */
const maxBodyBytes = 32 * 1024;
const timesMs = { requestTimeout: 5_000, connectionTimeout: 60_000, keepAliveTimeout: 30_000, handlerTimeout: 10_000 };
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** The token service for clients that are not agents: HTTPS, TLS 1.3; a client certificate is asked for, not needed. */
export async function serveTokensHttp(parts: TokensHttpParts): Promise<TokensHttp> {
  const { listen, sts, onFault } = parts;
  const https = {
    ...tls13,
    ...parts.tls,
    ca: trustBundleToPem(parts.bundle),
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: 5_000,
    maxHeaderSize: 16_384,
  };
  const server = fastify({
    https,
    bodyLimit: maxBodyBytes,
    exposeHeadRoutes: false,
    return503OnClosing: true,
    ...timesMs,
  });
  server.server.maxConnections = 1_024;
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, readForm(body as Buffer));
  });
  server.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store');
  });
  server.setErrorHandler((error: Error & { readonly statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.code(status).send(requestError('the request cannot be read'));
    onFault(error);
    return reply.code(503).send({ error: 'temporarily_unavailable' });
  });
  server.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not_found' }));
  const { pathname } = new URL(sts.issuer);
  addRoutes(server, pathname === '/' ? '' : pathname.replace(/\/$/, ''), parts);
  try {
    await server.listen(listen);
  } catch (cause) {
    throw new Fault('LISTEN_FAILED', `cannot listen on ${listen.host}:${listen.port}`, { cause });
  }
  const bound = server.server.address();
  return {
    host: typeof bound === 'object' && bound !== null ? bound.address : '',
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    async close() {
      server.server.closeIdleConnections();
      await server.close();
    },
  };
}

function addRoutes(server: FastifyInstance, base: string, parts: TokensHttpParts): void {
  const { sts, keysMaxAgeSeconds } = parts;
  const callerOf = createCallers(parts);
  const post = (path: string, handle: (asked: Asked, reply: FastifyReply) => unknown): void => {
    server.post(path, (request, reply) => {
      const form = request.body as Form | undefined;
      if (form === undefined || request.url.includes('?'))
        return reply.code(400).send(requestError('one form, no query'));
      const { caller, certificate } = callerOf(request);
      const credentials = readCredentials(request.headers.authorization, form, certificate);
      return handle({ form, caller, credentials, hasHeader: request.headers.authorization !== undefined }, reply);
    });
    server.route({
      method: ['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD'],
      url: path,
      handler: (_request, reply) => notAllowed(reply, 'POST'),
    });
  };
  const get = (path: string, document: () => string): void => {
    server.get(path, (request, reply) => {
      const text = document();
      const etag = `"${hash('sha256', text).slice(0, 32)}"`;
      void reply.header('etag', etag).header('cache-control', `public, max-age=${keysMaxAgeSeconds}`);
      if (request.headers['if-none-match'] === etag) return reply.code(304).send();
      return reply.type('application/json').send(text);
    });
    server.route({
      method: ['POST', 'PUT', 'PATCH', 'DELETE'],
      url: path,
      handler: (_request, reply) => notAllowed(reply, 'GET'),
    });
  };
  post(`${base}/token`, (asked, reply) => answerToken(asked, reply, sts));
  post(`${base}/introspect`, ({ form, credentials, caller, hasHeader }, reply) => {
    const token = form.get('token');
    if (token === undefined) return reply.code(400).send(requestError('token is missing'));
    const told = sts.introspect(token, credentials, caller);
    return told.ok ? reply.send(told.value) : refusedReply(told.reason, reply, hasHeader);
  });
  post(`${base}/revoke`, ({ form, credentials, caller, hasHeader }, reply) => {
    const token = form.get('token');
    if (token === undefined) return reply.code(400).send(requestError('token is missing'));
    const done = sts.revoke(token, credentials, caller);
    return done.ok ? reply.code(200).send() : refusedReply(done.reason, reply, hasHeader);
  });
  const described = JSON.stringify(discoveryDocument(sts.issuer));
  get(`${base}/jwks`, () => sts.keys().jwks);
  get(`/.well-known/oauth-authorization-server${base}`, () => described);
  get(`${base}/.well-known/openid-configuration`, () => described);
}

interface Asked {
  readonly form: Form;
  readonly caller: Caller;
  readonly credentials: TokenRequest['credentials'];
  /** Whether the client came with an Authorization header: then it is told the scheme (RFC 6749, section 5.2). */
  readonly hasHeader: boolean;
}

const requestError = (description: string) => ({ error: 'invalid_request', error_description: description });

function notAllowed(reply: FastifyReply, allow: 'GET' | 'POST'): FastifyReply {
  return reply
    .code(405)
    .header('allow', allow)
    .send(requestError(`use ${allow}`));
}

async function answerToken(asked: Asked, reply: FastifyReply, sts: Sts): Promise<FastifyReply> {
  const request = toTokenRequest(asked);
  if (typeof request === 'string') return reply.code(400).send({ error: request });
  const issued = await sts.issue(request, asked.caller);
  if (!issued.ok) return refusedReply(issued.reason, reply, asked.hasHeader);
  const { token, issuedTokenType, scopes, issuedAtMs, expiresAtMs } = issued.value;
  return reply.send({
    access_token: token,
    issued_token_type: issuedTokenType,
    token_type: 'Bearer',
    expires_in: (expiresAtMs - issuedAtMs) / 1000,
    scope: scopes.join(' '),
  });
}

/** The request, or what is wrong with it in the words of the RFCs. */
function toTokenRequest({ form, credentials }: Asked): TokenRequest | 'invalid_request' | 'unsupported_grant_type' {
  const grant = form.get('grant_type');
  const token = form.get('subject_token');
  const type = form.get('subject_token_type');
  if (grant === undefined || (form.has('resource') && form.has('audience'))) return 'invalid_request';
  if (grant !== 'client_credentials' && grant !== exchangeGrant) return 'unsupported_grant_type';
  const isExchange = grant === exchangeGrant;
  if (isExchange !== (token !== undefined) || isExchange !== (type !== undefined)) return 'invalid_request';
  if (form.has('actor_token') || form.has('actor_token_type')) return 'invalid_request'; // the client itself acts (A31)
  return {
    credentials,
    audience: form.get('audience') ?? form.get('resource') ?? '',
    scopes: form.get('scope')?.split(' ') ?? [],
    subject: token === undefined || type === undefined ? undefined : { token, type },
    requestedTokenType: form.get('requested_token_type') ?? '',
    binding: 'registered',
  };
}

function refusedReply(refused: RefusedToken, reply: FastifyReply, hasHeader: boolean): FastifyReply {
  const { error, description, retryAfterMs } = refused;
  if (retryAfterMs !== undefined) void reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1000)));
  if (error === 'invalid_client' && hasHeader) void reply.header('www-authenticate', 'Basic realm="tokens"');
  const status = error === 'invalid_client' ? 401 : error === 'temporarily_unavailable' ? 429 : 400;
  return reply.code(status).send({ error, error_description: description });
}

/** Who is at the other end, judged anew at each request: the certificate of an old connection may have expired since. */
function createCallers({ bundle, clock }: TokensHttpParts) {
  const known = new WeakMap<TLSSocket, X509Svid>();
  return (request: FastifyRequest): { readonly caller: Caller; readonly certificate: Certificate } => {
    const socket = request.raw.socket as TLSSocket;
    const address = `${socket.remoteAddress}:${socket.remotePort}`;
    const nowMs = clock.now();
    let svid = known.get(socket);
    if (svid === undefined || nowMs >= svid.notAfterMs || nowMs < svid.notBeforeMs) {
      const leaf = socket.getPeerX509Certificate();
      if (leaf === undefined) return { caller: { svid: undefined, address }, certificate: 'none' };
      const verdict = socket.authorized ? verifySvid(presentedChain(leaf), { bundle, nowMs }) : undefined;
      if (!verdict?.ok) return { caller: { svid: undefined, address }, certificate: 'bad' };
      svid = verdict.value;
      known.set(socket, svid);
    }
    return { caller: { svid, address }, certificate: 'svid' };
  };
}
