import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Identity } from '#agent/identity/store.ts';
import { certificatesToPem } from '#certs/pem.ts';
import { readBoundedFile } from '#runtime/bounded-file.ts';
import { Fault } from '#runtime/fault.ts';
import { ok, refuse } from '#runtime/result.ts';
import { readJsonObject, type JsonObject } from '#tokens/strict-json.ts';
import type { TokenEndpointConfig } from '#agent/config-types.ts';
import type { Exchange } from './token-source.ts';
import type { TokenWish } from './token-wish.ts';

const maxAnswerBytes = 64 * 1024;
const maxRootsBytes = 256 * 1024;
const errorForm = /^[a-z][a-z_]{0,49}$/;

/**
 * An issuer that is asked over HTTPS: client credentials (RFC 6749, section 4.4), the client proved by our certificate and
 * named by our SPIFFE ID (RFC 8705, section 2.1), the audience as `resource` (RFC 8707) where it is a URI. No redirect is
 * followed (A65). Throws the Fault TOKEN_ENDPOINT_UNREACHABLE.
 */
export function tokenEndpointExchange({ url, caPath }: TokenEndpointConfig): Exchange {
  return async ({ svid, privateKey }, wish, { deadlineMs, signal }) => {
    const roots = await readRoots(caPath);
    const form = formOf(svid.spiffeId, wish);
    const answer = await post(url, form, {
      ...clientCertificate({ svid, privateKey }),
      ...(roots === undefined ? {} : { ca: roots }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
    });
    const members = readJsonObject(answer.body);
    const refused = members?.get('error');
    if (answer.status === 400 || answer.status === 401) {
      return refuse({ refused: typeof refused === 'string' && errorForm.test(refused) ? refused : 'unreadable' });
    }
    const issued = answer.status === 200 ? members && issuedOf(members) : undefined;
    if (issued === undefined) throw unreachableEndpoint(new Error(`status ${answer.status}`));
    return ok(issued);
  };
}

function formOf(clientId: string, { audience, scopes }: TokenWish): string {
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId });
  form.set(/^[a-z][a-z0-9+.-]*:/.test(audience) ? 'resource' : 'audience', audience);
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  return form.toString();
}

/** RFC 6749, section 5.1. */
function issuedOf(members: JsonObject): { readonly text: string; readonly lifeMs: number } | undefined {
  const text = members.get('access_token');
  const seconds = members.get('expires_in');
  if (typeof text !== 'string' || typeof seconds !== 'number') return undefined;
  return { text, lifeMs: seconds * 1000 };
}

function clientCertificate({ svid, privateKey }: Pick<Identity, 'svid' | 'privateKey'>): RequestOptions {
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { cert: certificatesToPem(svid.chainDer), key, minVersion: 'TLSv1.2' };
}

async function readRoots(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const read = await readBoundedFile(path, maxRootsBytes);
  if (read.ok) return read.value;
  throw new Fault('TOKEN_ENDPOINT_CA_UNREADABLE', `the token endpoint's ca ${path} ${read.reason}`);
}

function post(
  url: string,
  form: string,
  options: RequestOptions,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(unreachableEndpoint(cause));
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(form),
      accept: 'application/json',
    };
    const asking = httpsRequest(url, { ...options, method: 'POST', headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      response.on('data', (piece: Buffer) => {
        bytes += piece.length;
        if (bytes > maxAnswerBytes) asking.destroy(new Error('too long an answer'));
        else pieces.push(piece);
      });
      response.on('error', fail);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
    });
    asking.on('error', fail);
    asking.end(form);
  });
}

function unreachableEndpoint(cause: unknown): Fault {
  return new Fault('TOKEN_ENDPOINT_UNREACHABLE', 'no answer from the token endpoint', { cause });
}
