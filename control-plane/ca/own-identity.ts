import { issueSvid } from '#certs/issue-svid.ts';
import { exportSpki, generateKeyPair, generateSerial } from '#certs/keys.ts';
import { renewAtMs, retryAtMs } from '#certs/renewal.ts';
import { workloadSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import { controlPlaneAccount } from '#control-plane/registry/workloads.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { ServerIdentity } from '#proto/mesh-server.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import type { Emit } from '#runtime/log.ts';
import type { Authority } from './authority.ts';

export interface OwnIdentityParts {
  readonly store: Store;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit<ControlPlaneEvent>;
  readonly svidLifeMs: number;
}

export interface OwnIdentity extends ServerIdentity {
  readonly issuedAtMs: number;
}

const hourMs = 3_600_000;
/** The wall clock is compared this often: it may jump. */
const lookEveryMs = 5000;

/** `spiffe://<trust-domain>/ns/eastwest-system/sa/control-plane` */
function controlPlaneId(trustDomain: string): SpiffeId {
  const id = workloadSpiffeId(trustDomain, controlPlaneAccount.namespace, controlPlaneAccount.name);
  if (id.ok) return id.value;
  throw new Fault('BAD_TRUST_DOMAIN', `${trustDomain} cannot be a trust domain: ${id.reason}`);
}

/** A fresh key and SVID for our own server, from the CA it serves: lives four agents' lives, an hour at most. */
export async function issueOwnIdentity({
  store,
  authority,
  clock,
  svidLifeMs,
}: OwnIdentityParts): Promise<OwnIdentity> {
  const { publicKey, privateKey } = await generateKeyPair();
  const issuedAtMs = clock.now();
  const issuer = authority.issuer();
  const order = {
    spiffeId: controlPlaneId(authority.trustDomain),
    spkiDer: exportSpki(publicKey),
    issuedAtMs,
    lifeMs: Math.min(hourMs, 4 * svidLifeMs),
    serial: generateSerial(),
  };
  const leafDer = await issueSvid(order, issuer);
  const bundle = authority.trustBundle;
  const svid = verifySvid([leafDer, issuer.certificateDer], { bundle, nowMs: issuedAtMs });
  if (!svid.ok) throw new Fault('ISSUED_LEAF_BROKEN', `our own SVID does not verify: ${svid.reason}`);
  const { spiffeId, serialHex: serial, keyThumbprint, notAfterMs } = svid.value;
  await store.write((writer) => {
    writer.addCertificate({ serial, spiffeId, keyThumbprint, issuedAtMs, notAfterMs });
    writer.audit(issuedAtMs, {
      kind: 'certificate-issued',
      spiffeId,
      serial,
      keyThumbprint,
      notAfterMs,
      attestation: 'control-plane',
      peer: 'self',
    });
  });
  return { svid: svid.value, privateKey, bundle, issuedAtMs };
}

/**
 * Renews intermediate and own SVID when they are due, until the signal aborts (then throws its reason). The last good
 * identity stays in use when a renewal fails. A wall clock set back before the SVID's beginning renews at once.
 */
export async function keepIdentity(
  first: OwnIdentity,
  parts: OwnIdentityParts & { present(identity: ServerIdentity): void },
  signal: AbortSignal,
): Promise<never> {
  const { clock, random, emit } = parts;
  let identity = first;
  const lifeOf = ({ issuedAtMs, svid }: OwnIdentity) => ({ issuedAtMs, notAfterMs: svid.notAfterMs });
  let dueMs = renewAtMs(lifeOf(identity), random());
  for (;;) {
    await clock.sleep(Math.min(lookEveryMs, Math.max(dueMs - clock.now(), 100)), signal);
    const renewed = await renewIntermediate(parts);
    const nowMs = clock.now();
    if (renewed === 'not-due' && nowMs < dueMs && nowMs >= identity.svid.notBeforeMs) continue;
    try {
      identity = await issueOwnIdentity(parts);
      parts.present(identity);
      dueMs = renewAtMs(lifeOf(identity), random());
      const { serialHex, notAfterMs } = identity.svid;
      emit({ event: 'own-svid.rotated', serialHex, notAfterMs });
    } catch (error) {
      signal.throwIfAborted();
      dueMs = retryAtMs(lifeOf(identity), nowMs, random());
      emit({ event: 'own-svid.rotation-failed', validForMs: identity.svid.notAfterMs - nowMs, error });
    }
  }
}

async function renewIntermediate({ authority, clock, emit }: OwnIdentityParts): Promise<'renewed' | 'not-due'> {
  try {
    const renewed = await authority.renewWhenDue(clock.now());
    if (renewed === 'not-due') return renewed;
    const { kind, serialHex, notAfterMs } = renewed;
    emit({ event: 'authority.created', authority: kind, serialHex, notAfterMs });
    return 'renewed';
  } catch (error) {
    emit({ event: 'authority.renewal-failed', notAfterMs: authority.intermediate().notAfterMs, error });
    return 'not-due';
  }
}
