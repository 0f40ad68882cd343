import { checkIssued } from '#certs/check-issued.ts';
import { readCsr, type Csr } from '#certs/csr.ts';
import { issueSvid } from '#certs/issue-svid.ts';
import { generateSerial } from '#certs/keys.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { X509Svid } from '#certs/svid.ts';
import type { Attested, Attesting } from '#control-plane/attest/attestor.ts';
import { attestByCurrentSvid } from '#control-plane/attest/current-svid.ts';
import { attestByJoinToken } from '#control-plane/attest/join-token.ts';
import type { AttestationMethod, AuditEntry } from '#control-plane/audit/record.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { RateLimiter } from '#control-plane/limits.ts';
import type { Store, Writer } from '#control-plane/store/store.ts';
import { addressKey } from '#proto/address-key.ts';
import type { Peer } from '#proto/mesh-server.ts';
import type { IssueCertificateRequest, IssueCertificateResponse } from '#proto/issue-messages.ts';
import type { MessageProblem } from '#proto/messages.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import type { Emit } from '#runtime/log.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Authority } from './authority.ts';
import { issueRefusal, type IssueRefusalReason } from './refusals.ts';

export interface IssuerParts {
  readonly store: Store;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
  readonly svidLifeMs: number;
  readonly perIdentity: RateLimiter;
  readonly failedAttestations: RateLimiter;
}

/** What is known when a request is refused; grows while it is judged. */
interface Denial {
  readonly reason: IssueRefusalReason;
  readonly detail?: string | undefined;
  readonly spiffeId?: SpiffeId | undefined;
  readonly keyThumbprint?: string | undefined;
  readonly method?: AttestationMethod | undefined;
  readonly retryAfterMs?: number;
  /** As in `AuditEntry`; 0: a recent record already stands for it. */
  readonly repeats?: number;
}

interface Approved {
  readonly attested: Attested;
  readonly csr: Csr;
}

export type IssueCertificate = (
  request: Result<IssueCertificateRequest, MessageProblem>,
  peer: Peer,
) => Promise<Result<IssueCertificateResponse, Refusal>>;

/**
 * Judge, sign, check, record, release, in this order. Names and life come from attestation and settings, never from the CSR.
 * Issuance and refusal are answered only when their audit record is on disk.
 */
export function createIssueCertificate(parts: IssuerParts): IssueCertificate {
  const { store, authority, clock, emit } = parts;

  async function deny(denial: Denial, peer: Peer): Promise<Result<never, Refusal>> {
    const { reason, repeats = 1, retryAfterMs = 0 } = denial;
    if (repeats > 0) {
      await store.write((writer) => writer.audit(clock.now(), refusedEntry(denial, peer, repeats)));
      emit(refusedEvent(denial, peer, repeats));
    }
    return refuse(issueRefusal(reason, retryAfterMs));
  }

  return async (request, peer) => {
    const approved = judge(request, peer, parts);
    if (!approved.ok) return deny(approved.reason, peer);
    const { attested, csr } = approved.value;
    const { signedAtMs, svid, issuerDer } = await sign(approved.value, parts);
    const recorded = await store.write((writer) => recordIssued(writer, { ...approved.value, signedAtMs, svid, peer }));
    if (!recorded.ok) {
      const { spiffeId, method } = attested;
      return deny({ reason: recorded.reason, spiffeId, method, keyThumbprint: csr.keyThumbprint }, peer);
    }
    emit({
      event: 'certificate.issued',
      spiffeId: svid.spiffeId,
      serialHex: svid.serialHex,
      notAfterMs: svid.notAfterMs,
      attestation: attested.method,
      peer: peer.address,
    });
    return ok({ chain: [...svid.chainDer, issuerDer], trustBundle: authority.trustBundle, signedAtMs });
  };
}

/** Cheapest checks first; nothing is used up yet. */
function judge(
  request: Result<IssueCertificateRequest, MessageProblem>,
  peer: Peer,
  { store, clock, perIdentity, failedAttestations }: IssuerParts,
): Result<Approved, Denial> {
  /** Counted by address, so that guessing is slow and quiet; a good proof from the same address is never held up. */
  const failed = (denial: Denial): Result<never, Denial> => {
    const guard = failedAttestations.take(addressKey(peer.address));
    if (guard.admitted) return refuse(denial);
    return refuse({ ...guard, reason: 'too-many-failed-attestations', repeats: guard.report });
  };
  if (!request.ok) return failed({ reason: request.reason });
  const attested = attest(request.value, peer, { store, nowMs: clock.now() });
  const method = request.value.attestation.kind;
  if (!attested.ok) {
    const { problem, detail, spiffeId } = attested.reason;
    return failed({ reason: problem, detail, spiffeId, method });
  }
  const { spiffeId } = attested.value;
  const quota = perIdentity.take(spiffeId);
  if (!quota.admitted) return refuse({ ...quota, reason: 'rate-limited', repeats: quota.report, spiffeId, method });
  const csr = readCsr(request.value.csr);
  if (!csr.ok) return refuse({ reason: `csr-${csr.reason}`, spiffeId, method });
  const { keyThumbprint } = csr.value;
  if (isForeignKey(store, keyThumbprint, spiffeId)) {
    return refuse({ reason: 'key-of-another-identity', spiffeId, method, keyThumbprint });
  }
  return ok({ attested: attested.value, csr: csr.value });
}

function attest(
  { attestation }: IssueCertificateRequest,
  peer: Peer,
  { store, nowMs }: { store: Store; nowMs: number },
): Attesting {
  switch (attestation.kind) {
    case 'join-token':
      return attestByJoinToken(store, attestation.token, nowMs);
    case 'current-svid':
      return attestByCurrentSvid(store, peer);
  }
}

function isForeignKey(reader: Pick<Store, 'ownerOfKey'>, keyThumbprint: string, spiffeId: SpiffeId): boolean {
  const owner = reader.ownerOfKey(keyThumbprint);
  return owner !== undefined && owner !== spiffeId;
}

async function sign(
  { attested, csr }: Approved,
  { authority, clock, svidLifeMs }: IssuerParts,
): Promise<{ signedAtMs: number; svid: X509Svid; issuerDer: Buffer }> {
  const signedAtMs = clock.now();
  const issuer = authority.issuer();
  if (authority.intermediate().notAfterMs - signedAtMs < 2000)
    throw new Fault('INTERMEDIATE_EXPIRED', 'the CA cannot sign');
  const order = {
    spiffeId: attested.spiffeId,
    spkiDer: csr.spkiDer,
    issuedAtMs: signedAtMs,
    lifeMs: svidLifeMs,
    serial: generateSerial(),
  };
  const leafDer = await issueSvid(order, issuer);
  const checked = checkIssued(leafDer, { ...order, issuer: issuer.certificateDer });
  if (checked.ok) return { signedAtMs, svid: checked.value, issuerDer: issuer.certificateDer };
  throw new Fault('ISSUED_LEAF_BROKEN', `our own leaf breaks our own rules: ${checked.reason}`);
}

interface Issuance extends Approved {
  readonly svid: X509Svid;
  readonly signedAtMs: number;
  readonly peer: Peer;
}

function recordIssued(
  writer: Writer,
  { attested, csr: { keyThumbprint }, svid, signedAtMs, peer }: Issuance,
): Result<void, IssueRefusalReason> {
  const { spiffeId, serialHex: serial, notAfterMs } = svid;
  if (isForeignKey(writer, keyThumbprint, spiffeId)) return refuse('key-of-another-identity'); // of the same turn
  const consumed = attested.consume(writer, signedAtMs);
  if (!consumed.ok) return consumed;
  writer.addCertificate({ serial, spiffeId, keyThumbprint, issuedAtMs: signedAtMs, notAfterMs });
  writer.audit(signedAtMs, {
    kind: 'certificate-issued',
    spiffeId,
    serial,
    keyThumbprint,
    notAfterMs,
    attestation: attested.method,
    ...(attested.tokenId === undefined ? {} : { tokenId: attested.tokenId }),
    peer: peer.address,
  });
  return ok(undefined);
}

function refusedEntry(
  { reason, detail, spiffeId, keyThumbprint, method }: Denial,
  peer: Peer,
  repeats: number,
): AuditEntry {
  return {
    kind: 'certificate-refused',
    reason,
    ...(detail === undefined ? {} : { detail }),
    ...(spiffeId === undefined ? {} : { spiffeId }),
    ...(keyThumbprint === undefined ? {} : { keyThumbprint }),
    ...(method === undefined ? {} : { attestation: method }),
    peer: peer.address,
    repeats,
  };
}

function refusedEvent({ reason, detail, spiffeId }: Denial, peer: Peer, repeats: number): ControlPlaneEvent {
  return {
    event: 'certificate.refused',
    reason,
    ...(detail === undefined ? {} : { detail }),
    ...(spiffeId === undefined ? {} : { spiffeId }),
    peer: peer.address,
    repeats,
  };
}
