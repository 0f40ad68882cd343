import type { X509Svid } from '#certs/svid.ts';
import { trustBundleToPem, type TrustBundle } from '#certs/trust-bundle.ts';
import { verifySvid, type SvidProblem } from '#certs/verify-svid.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { ByteStream } from './channel.ts';
import {
  encodeIssueCertificateResponse,
  parseIssueCertificateRequest,
  type IssueCertificateRequest,
  type IssueCertificateResponse,
} from './issue-messages.ts';
import {
  encodeWatchResponse,
  meshPaths,
  parseWatchRequest,
  type MessageProblem,
  type WatchRequest,
  type WatchResponse,
} from './messages.ts';
import { identityOptions, type TlsIdentity } from './pinned-tls.ts';
import type { Refusal } from './refusal.ts';
import { startServer, type CallContext, type PeerChain } from './server.ts';
import {
  encodeExchangeTokenResponse,
  parseExchangeTokenRequest,
  type ExchangeTokenRequest,
  type ExchangeTokenResponse,
} from './token-messages.ts';

/** Who calls, judged anew at each call: the certificate of an old connection may have expired since. */
export type Peer =
  | { readonly kind: 'anonymous'; readonly address: string }
  | { readonly kind: 'svid'; readonly address: string; readonly svid: X509Svid }
  | { readonly kind: 'bad-svid'; readonly address: string; readonly problem: SvidProblem };

export interface WatchCall {
  readonly peer: Peer;
  /** Ends when the agent has gone or said something unreadable. */
  readonly requests: AsyncIterable<WatchRequest>;
  /** Waits while the agent does not read. */
  send(response: WatchResponse): Promise<void>;
  /** Aborts when the agent has gone, its SVID expires or the server closes. */
  readonly signal: AbortSignal;
}

export interface MeshHandlers {
  issueCertificate(
    request: Result<IssueCertificateRequest, MessageProblem>,
    peer: Peer,
  ): Promise<Result<IssueCertificateResponse, Refusal>>;
  watch(call: WatchCall): Promise<Result<void, Refusal>>;
  exchangeToken(
    request: Result<ExchangeTokenRequest, 'malformed'>,
    peer: Peer,
  ): Promise<Result<ExchangeTokenResponse, Refusal>>;
}

/** What the server shows, and what it judges callers by. */
export interface ServerIdentity extends TlsIdentity {
  readonly bundle: TrustBundle;
}

export interface ServeMeshOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly identity: ServerIdentity;
  readonly handlers: MeshHandlers;
  onFault(error: unknown): void;
  readonly clock: Clock;
}

export interface MeshServer {
  readonly host: string;
  readonly port: number;
  /** Swaps certificate, key and client roots for new connections; those that are open live on. */
  present(identity: ServerIdentity): void;
  close(graceMs: number): Promise<void>;
}

/** Serves the Mesh service over TLS 1.3. Callers without a certificate get in: a join token may be their proof. */
export async function serveMesh(options: ServeMeshOptions): Promise<MeshServer> {
  const { handlers, clock } = options;
  const judge = createPeerJudge(options.identity, clock);
  const server = await startServer(options.listen, tlsContext(options.identity), {
    unary: {
      async [meshPaths.issueCertificate](bytes, call) {
        const response = await handlers.issueCertificate(parseIssueCertificateRequest(bytes), judge.peerOf(call));
        return response.ok ? ok(encodeIssueCertificateResponse(response.value)) : response;
      },
      async [meshPaths.exchangeToken](bytes, call) {
        const response = await handlers.exchangeToken(parseExchangeTokenRequest(bytes), judge.peerOf(call));
        return response.ok ? ok(encodeExchangeTokenResponse(response.value)) : response;
      },
    },
    duplex: {
      [meshPaths.watch]: (stream, call) => serveWatch(stream, call, { ...options, peer: judge.peerOf(call) }),
    },
    onFault: options.onFault,
    clock,
  });
  return {
    host: server.host,
    port: server.port,
    present(identity) {
      judge.use(identity);
      server.present(tlsContext(identity));
    },
    close: (graceMs) => server.close(graceMs),
  };
}

function tlsContext(identity: ServerIdentity): { ca: string; cert: string; key: string } {
  return { ...identityOptions(identity), ca: trustBundleToPem(identity.bundle) };
}

async function serveWatch(
  stream: ByteStream,
  call: { readonly signal: AbortSignal },
  { handlers, clock, peer }: { handlers: MeshHandlers; clock: Clock; peer: Peer },
): Promise<Result<void, Refusal>> {
  const expired = new AbortController();
  const lifeMs = peer.kind === 'svid' ? peer.svid.notAfterMs - clock.now() : 0;
  const expiry = clock.timer(lifeMs, () => expired.abort());
  let problem: MessageProblem | undefined;
  async function* requests(): AsyncIterable<WatchRequest> {
    for await (const bytes of stream.messages) {
      const request = parseWatchRequest(bytes);
      if (!request.ok) {
        problem = request.reason;
        return;
      }
      yield request.value;
    }
  }
  const outcome = await handlers
    .watch({
      peer,
      requests: requests(),
      send: (response) => stream.send(encodeWatchResponse(response)),
      signal: AbortSignal.any([call.signal, expired.signal]),
    })
    .finally(() => expiry.cancel());
  return problem === undefined ? outcome : refuse({ code: 'invalid-argument', reason: problem });
}

/** Remembers verdicts per connection while the bundle stays the same; a remembered SVID is still held against the clock. */
function createPeerJudge(first: ServerIdentity, clock: Clock) {
  let { bundle } = first;
  let known = new WeakMap<PeerChain, X509Svid>();
  function judge(peer: PeerChain): Result<X509Svid, SvidProblem> {
    const nowMs = clock.now();
    const svid = known.get(peer);
    if (svid !== undefined && nowMs >= svid.notBeforeMs && nowMs < svid.notAfterMs) return ok(svid);
    const verdict = verifySvid(peer.chainDer, { bundle, nowMs });
    if (verdict.ok) known.set(peer, verdict.value);
    return verdict;
  }
  return {
    use(identity: ServerIdentity): void {
      ({ bundle } = identity);
      known = new WeakMap();
    },
    peerOf({ peerAddress: address, peerChain }: CallContext): Peer {
      if (peerChain === undefined) return { kind: 'anonymous', address };
      const verdict = judge(peerChain);
      return verdict.ok
        ? { kind: 'svid', address, svid: verdict.value }
        : { kind: 'bad-svid', address, problem: verdict.reason };
    },
  };
}
