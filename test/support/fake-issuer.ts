import { createPublicKey } from 'node:crypto';
import { readCsr } from '#certs/csr.ts';
import type { IssueCall } from '#agent/identity/issuer-client.ts';
import { createTrustBundle, type TrustBundle } from '#certs/trust-bundle.ts';
import type { Attestation, IssueCertificateRequest, IssueCertificateResponse } from '#proto/issue-messages.ts';
import type { Refusal } from '#proto/refusal.ts';
import { Fault } from '#runtime/fault.ts';
import { ok, refuse } from '#runtime/result.ts';
import type { FakeClock } from '#support/fake-clock.ts';
import { makeKeys, type TestAuthority } from '#support/test-ca.ts';

/** The issuing half of a control plane, in memory. Each token works once. */
export interface FakeIssuer {
  /** Every proof that arrived, in order. */
  readonly seen: Attestation[];
  readonly tokens: Set<string>;
  /** How it answers from now on; `sign` at first. */
  behave(behaviour: IssuerBehaviour): void;
  /** Signs by another authority, or another bundle beside it. */
  signWith(ca: TestAuthority, bundle?: TrustBundle): void;
  readonly call: IssueCall;
}

export type IssuerBehaviour =
  | { readonly kind: 'sign'; readonly name?: string; readonly key?: 'requested' | 'another' }
  | { readonly kind: 'unreachable' }
  /** Takes the call and says nothing until its deadline. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'refuse'; readonly refusal: Refusal };

export interface FakeIssuerOptions {
  readonly ca: TestAuthority;
  readonly clock: FakeClock;
  readonly workload: string;
  readonly lifeMs: number;
  /** The issuer's clock minus the agent's. */
  readonly skewMs?: number;
}

export function createFakeIssuer({ ca, clock, workload, lifeMs, skewMs = 0 }: FakeIssuerOptions): FakeIssuer {
  let behaviour: IssuerBehaviour = { kind: 'sign' };
  let authority = ca;
  let bundle: TrustBundle | undefined;
  const seen: Attestation[] = [];
  const tokens = new Set<string>(['first-token']);

  function sign(
    { csr }: IssueCertificateRequest,
    how: Extract<IssuerBehaviour, { kind: 'sign' }>,
  ): IssueCertificateResponse {
    const read = readCsr(csr);
    if (!read.ok) throw new Error(`the CSR is ${read.reason}`);
    const requested = createPublicKey({ key: read.value.spkiDer, format: 'der', type: 'spki' });
    const keys = how.key === 'another' ? makeKeys() : { ...makeKeys(), publicKey: requested };
    const signedAtMs = clock.now() + skewMs;
    const times = { notBeforeMs: signedAtMs - 60_000, notAfterMs: signedAtMs + lifeMs };
    const { chainDer } = authority.leaf(how.name ?? workload, { keys, ...times });
    return { chain: chainDer, trustBundle: bundle ?? authority.bundle, signedAtMs };
  }

  return {
    seen,
    tokens,
    behave: (next) => void (behaviour = next),
    signWith(next, nextBundle) {
      authority = next;
      bundle = nextBundle;
    },
    async call(request, { deadlineMs, signal }) {
      const { attestation } = request;
      seen.push(attestation);
      if (behaviour.kind === 'silent') {
        await clock.sleep(deadlineMs, signal);
        throw new Fault('CONTROL_PLANE_UNREACHABLE', 'no answer in time');
      }
      if (behaviour.kind === 'unreachable') throw new Fault('CONTROL_PLANE_UNREACHABLE', 'no answer');
      if (behaviour.kind === 'refuse') return refuse(behaviour.refusal);
      if (attestation.kind === 'join-token' && !tokens.delete(attestation.token)) {
        return refuse({ code: 'unauthenticated', reason: 'join-token-used' });
      }
      return ok(sign(request, behaviour));
    },
  };
}

/** The roots of several authorities as one bundle of the first one's trust domain. */
export function bundleOf(version: number, ...authorities: readonly TestAuthority[]): TrustBundle {
  const trustDomain = authorities[0]!.trustDomain;
  const bundle = createTrustBundle({
    trustDomain,
    version,
    roots: authorities.flatMap((each) => [...each.bundle.roots]),
  });
  if (!bundle.ok) throw new Error(`no bundle: ${bundle.reason}`);
  return bundle.value;
}
