import { issueSvid, createIssuer } from '#certs/issue-svid.ts';
import { readCsr } from '#certs/csr.ts';
import { generateSerial } from '#certs/keys.ts';
import { workloadSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import type { TrustBundle } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { serveMesh, type Peer, type ServerIdentity, type WatchCall } from '#proto/mesh-server.ts';
import type { IssueCertificateRequest, IssueCertificateResponse } from '#proto/issue-messages.ts';
import type { WatchRequest, WatchResponse } from '#proto/messages.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { ExchangeTokenRequest, ExchangeTokenResponse } from '#proto/token-messages.ts';
import type { Clock } from '#runtime/clock.ts';
import { aborted } from '#runtime/drain.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { createTestCa, type CertificateRecipe, type TestAuthority } from './test-ca.ts';

/** What the next calls of IssueCertificate get. Names of workloads are asked of the request's join token: `token-of-prices`. */
export type IssueBehaviour =
  | { readonly kind: 'issue' }
  | { readonly kind: 'issue-for'; readonly spiffeId: SpiffeId }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }
  | { readonly kind: 'answer'; readonly response: IssueCertificateResponse }
  /** Breaks: the caller sees UNAVAILABLE. */
  | { readonly kind: 'break' }
  /** As `issue`, but only once this promise resolves. */
  | { readonly kind: 'delay'; readonly until: Promise<void> };

export type ExchangeAnswer = (
  request: ExchangeTokenRequest,
  peer: Peer,
) => Promise<Result<ExchangeTokenResponse, Refusal>>;

export interface FakeControlPlaneOptions {
  readonly trustDomain?: string;
  readonly clock?: Clock;
  readonly svidLifeMs?: number;
  /** Who it claims to be; the real control plane's ID otherwise. */
  readonly server?: CertificateRecipe;
  /** Whose root it uses; a fresh one otherwise. */
  readonly ca?: TestAuthority;
  /** A fixed port, to come back where a stopped one was. */
  readonly port?: number;
}

export interface FakeStream {
  readonly peer: Peer;
  /** What the agent said, oldest first. */
  readonly requests: readonly WatchRequest[];
  send(response: WatchResponse): Promise<void>;
  drop(): void;
}

export interface FakeControlPlane extends AsyncDisposable {
  /** `127.0.0.1:<port>` */
  readonly address: string;
  readonly port: number;
  readonly ca: TestAuthority;
  readonly bundle: TrustBundle;
  readonly spiffeId: SpiffeId;
  /** All calls of IssueCertificate, oldest first. */
  readonly issueCalls: readonly { readonly request: IssueCertificateRequest; readonly peer: Peer }[];
  /** Open streams, oldest first. */
  readonly streams: readonly FakeStream[];
  behave(next: IssueBehaviour): void;
  /** All calls of ExchangeToken, oldest first. */
  readonly exchangeCalls: readonly { readonly request: ExchangeTokenRequest; readonly peer: Peer }[];
  /** What answers calls of ExchangeToken from now on; before, they are refused as those of a stranger. */
  exchangeBy(answer: ExchangeAnswer): void;
  /** What each new stream hears after its first `subscribe`. */
  greet(responses: readonly WatchResponse[]): void;
  /** Resolves at the next stream's first request, at once when there is one already. */
  nextStream(): Promise<FakeStream>;
  dropStreams(): void;
}

/** A control plane with hand-set behaviour that speaks the real protocol over real gRPC and TLS. */
export async function startFakeControlPlane(options: FakeControlPlaneOptions = {}): Promise<FakeControlPlane> {
  const { clock = systemClock, trustDomain = 'shop.example', svidLifeMs = 3_600_000 } = options;
  const ca = options.ca ?? createTestCa({ trustDomain, nowMs: clock.now() });
  const issuing = ca.intermediate();
  const spiffeId = idOf(trustDomain, 'eastwest-system', 'control-plane');
  const issueCalls: { request: IssueCertificateRequest; peer: Peer }[] = [];
  const exchangeCalls: { request: ExchangeTokenRequest; peer: Peer }[] = [];
  let exchange: ExchangeAnswer = () => Promise.resolve(ok(strangersAnswer));
  const streams: FakeStream[] = [];
  let waiting: ((stream: FakeStream) => void)[] = [];
  let behaviour: IssueBehaviour = { kind: 'issue' };
  let greeting: readonly WatchResponse[] = [];

  async function issue(
    request: IssueCertificateRequest,
    id: SpiffeId,
  ): Promise<Result<IssueCertificateResponse, Refusal>> {
    const csr = readCsr(request.csr);
    if (!csr.ok) return refuse({ code: 'invalid-argument', reason: `csr-${csr.reason}` });
    const signedAtMs = clock.now();
    const order = { spiffeId: id, spkiDer: csr.value.spkiDer, issuedAtMs: signedAtMs, lifeMs: svidLifeMs };
    const leaf = await issueSvid(
      { ...order, serial: generateSerial() },
      createIssuer(issuing.der, issuing.keys.privateKey),
    );
    return ok({ chain: [leaf, ...issuing.chainDer], trustBundle: ca.bundle, signedAtMs });
  }

  async function issueCertificate(
    request: Result<IssueCertificateRequest, string>,
    peer: Peer,
  ): Promise<Result<IssueCertificateResponse, Refusal>> {
    if (!request.ok) return refuse({ code: 'invalid-argument', reason: request.reason });
    issueCalls.push({ request: request.value, peer });
    switch (behaviour.kind) {
      case 'break':
        throw new Error('broken by hand');
      case 'refuse':
        return refuse(behaviour.refusal);
      case 'answer':
        return ok(behaviour.response);
      case 'issue-for':
        return issue(request.value, behaviour.spiffeId);
      case 'delay':
        await behaviour.until;
        return issue(request.value, callerOf(request.value, peer, trustDomain));
      case 'issue':
        return issue(request.value, callerOf(request.value, peer, trustDomain));
    }
  }

  async function watch(call: WatchCall): Promise<Result<void, Refusal>> {
    if (call.peer.kind !== 'svid') return refuse({ code: 'unauthenticated', reason: 'current-svid-not-accepted' });
    const dropped = new AbortController();
    const requests: WatchRequest[] = [];
    const stream: FakeStream = { peer: call.peer, requests, send: call.send, drop: () => dropped.abort() };
    const listen = async (): Promise<void> => {
      for await (const request of call.requests) {
        requests.push(request);
        if (requests.length > 1) continue;
        streams.push(stream);
        for (const response of greeting) await call.send(response);
        for (const resolve of waiting) resolve(stream);
        waiting = [];
      }
    };
    await Promise.race([listen(), aborted(AbortSignal.any([call.signal, dropped.signal]))]);
    if (streams.includes(stream)) streams.splice(streams.indexOf(stream), 1);
    return ok(undefined);
  }

  async function exchangeToken(
    request: Result<ExchangeTokenRequest, string>,
    peer: Peer,
  ): Promise<Result<ExchangeTokenResponse, Refusal>> {
    if (!request.ok) return refuse({ code: 'invalid-argument', reason: request.reason });
    exchangeCalls.push({ request: request.value, peer });
    return exchange(request.value, peer);
  }

  const mesh = await serveMesh({
    listen: { host: '127.0.0.1', port: options.port ?? 0 },
    identity: serverIdentity(ca, issuing, { clock, recipe: options.server ?? serverRecipe(spiffeId) }),
    handlers: { issueCertificate, watch, exchangeToken },
    onFault: () => undefined,
    clock,
  });
  return {
    address: `127.0.0.1:${mesh.port}`,
    port: mesh.port,
    ca,
    bundle: ca.bundle,
    spiffeId,
    issueCalls,
    exchangeCalls,
    exchangeBy(answer) {
      exchange = answer;
    },
    streams,
    behave(next) {
      behaviour = next;
    },
    greet(responses) {
      greeting = responses;
    },
    nextStream() {
      const [open] = streams;
      return open === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(open);
    },
    dropStreams: () => streams.forEach((stream) => stream.drop()),
    [Symbol.asyncDispose]: () => mesh.close(0),
  };
}

const strangersAnswer = { kind: 'refused', error: 'invalid_client', description: 'not registered' } as const;
const serverRecipe = (id: string): CertificateRecipe => ({ names: [{ kind: 'uri', text: id }] });

function idOf(trustDomain: string, namespace: string, account: string): SpiffeId {
  const id = workloadSpiffeId(trustDomain, namespace, account);
  if (!id.ok) throw new Error(id.reason);
  return id.value;
}

/** `token-of-prices` names prices; with a current SVID its own name. */
function callerOf({ attestation }: IssueCertificateRequest, peer: Peer, trustDomain: string): SpiffeId {
  if (attestation.kind === 'current-svid' && peer.kind === 'svid') return peer.svid.spiffeId;
  const name = attestation.kind === 'join-token' ? attestation.token.replace(/^token-of-/, '') : 'nobody';
  return idOf(trustDomain, 'default', name);
}

/** Deliberately wrong certificates are shown as well: what cannot be verified is dressed as an SVID by hand. */
function serverIdentity(
  ca: TestAuthority,
  issuing: TestAuthority,
  { clock, recipe }: { clock: Clock; recipe: CertificateRecipe },
): ServerIdentity {
  const { chainDer, keys } = issuing.leaf('control-plane', recipe);
  const good = issuing.leaf('control-plane');
  const svid = verifySvid(good.chainDer, { bundle: ca.bundle, nowMs: clock.now() });
  if (!svid.ok) throw new Error(svid.reason);
  return { svid: { ...svid.value, chainDer }, privateKey: keys.privateKey, bundle: ca.bundle };
}
