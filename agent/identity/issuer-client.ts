import { buildCsr } from '#certs/csr.ts';
import { exportSpki, generateKeyPair, keyThumbprint, type KeyPair } from '#certs/keys.ts';
import type { TrustBundle } from '#certs/trust-bundle.ts';
import { verifySvid, type SvidProblem } from '#certs/verify-svid.ts';
import type { Attestation, IssueCertificateRequest, IssueCertificateResponse } from '#proto/issue-messages.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Identity, IdentitySnapshot } from './store.ts';
import { acceptBundle } from './trust.ts';

/** One call to the control plane. Throws `CONTROL_PLANE_UNREACHABLE` or `CONTROL_PLANE_UNTRUSTED`. */
export type IssueCall = (
  request: IssueCertificateRequest,
  options: { readonly deadlineMs: number; readonly signal: AbortSignal },
) => Promise<Result<IssueCertificateResponse, Refusal>>;

/** What we refuse in an answer of the control plane. */
export type AnswerProblem = SvidProblem | 'other-key' | 'other-spiffe-id';

export interface Answer {
  /** The key that we made for this call. */
  readonly keyPair: KeyPair;
  readonly response: IssueCertificateResponse;
  /** The issuer's clock minus ours: of what this call allows, the value nearest to what was known before. */
  readonly skewMs: number;
}

export interface RequestTools {
  readonly call: IssueCall;
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly knownSkewMs: number;
}

/** Makes a fresh key and has it signed. The answer is not judged yet: see `judgeAnswer`. */
export async function requestSvid(
  attestation: Attestation,
  { call, clock, deadlineMs, knownSkewMs }: RequestTools,
  signal: AbortSignal,
): Promise<Result<Answer, Refusal>> {
  const keyPair = await generateKeyPair();
  const startedMs = clock.monotonic();
  const answer = await call({ csr: buildCsr(keyPair), attestation }, { deadlineMs, signal });
  if (!answer.ok) return answer;
  const leastMs = answer.value.signedAtMs - clock.now();
  const mostMs = leastMs + clock.monotonic() - startedMs; // it signed during the call: a slow answer proves little
  const skewMs = Math.round(Math.min(mostMs, Math.max(leastMs, knownSkewMs)));
  return ok({ keyPair, response: answer.value, skewMs });
}

/**
 * Our own judgement of what the control plane signed: it must stand in the bundle that we hold, be for the key that we
 * made, and name whom we were before.
 *
 * With an SVID of ours to hold against it, a newer bundle may come with the answer: a new root may sign before it was
 * pushed to us. At the first time only the pinned roots count, and the answer's bundle must vouch for the same SVID.
 */
export function judgeAnswer(
  { keyPair, response }: Answer,
  ours: { readonly bundle: TrustBundle; readonly current: IdentitySnapshot | undefined; readonly nowMs: number },
): Result<Identity, AnswerProblem> {
  const { bundle, current, nowMs } = ours;
  const offered = acceptBundle(bundle, response.trustBundle, { svid: current?.svid, nowMs });
  const judging = current !== undefined && offered.ok ? offered.value : bundle;
  const svid = verifySvid(response.chain, { bundle: judging, nowMs });
  if (!svid.ok) return svid;
  if (svid.value.keyThumbprint !== keyThumbprint(exportSpki(keyPair.publicKey))) return refuse('other-key');
  if (current !== undefined && svid.value.spiffeId !== current.svid.spiffeId) return refuse('other-spiffe-id');
  const isVouched = offered.ok && verifySvid(response.chain, { bundle: offered.value, nowMs }).ok;
  return ok({
    svid: svid.value,
    privateKey: keyPair.privateKey,
    bundle: isVouched ? offered.value : judging,
    issuedAtMs: response.signedAtMs,
  });
}
