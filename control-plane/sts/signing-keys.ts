import { createPrivateKey, createPublicKey } from 'node:crypto';
import { generateKeyPair } from '#certs/keys.ts';
import type { Sealer } from '#control-plane/ca/sealing.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { StoredSigningKey } from '#control-plane/store/signing-keys.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import { inTurn } from '#runtime/in-turn.ts';
import type { Emit } from '#runtime/log.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import * as rings from '#tokens/key-ring.ts';
import { toSigningKey, writeKeySet, type SigningKey } from '#tokens/signing-key.ts';
import { changesBetween } from './ring-changes.ts';

export interface SigningKeysParts {
  readonly store: Pick<Store, 'signingKeys' | 'signingKeyVersion' | 'write'>;
  readonly sealer: Sealer;
  readonly times: rings.RingTimes;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
}

/** What verifiers are told. */
export interface PublishedKeys {
  /** JWK Set (RFC 7517, section 5), JSON. */
  readonly jwks: string;
  /** Only grows. */
  readonly version: number;
}

/** Who revokes a key, for the audit log. */
export interface Revoker {
  readonly id: string;
  readonly name: string;
}

export interface SigningKeys {
  /** Undefined: the one before was revoked, and the next may not sign yet. */
  current(): SigningKey | undefined;
  published(): PublishedKeys;
  ring(): rings.KeyRing;
  /** Takes the key out of the published set at once; the next one signs as soon as it may (S80). */
  revoke(kid: string, by: Revoker): Promise<Result<void, 'unknown-kid'>>;
  /** Called after each change of the published set or of the key that signs. */
  onChange(listener: () => void): void;
  /** Moves the ring when its time has come. Ends by throwing the signal's reason. */
  run(signal: AbortSignal): Promise<never>;
}

/** The clock may jump: it is looked at this often at least. */
const longestSleepMs = 60_000;
const afterFailureMs = 1_000;
const nobody: Revoker = { id: '', name: '' };

/**
 * The keys that sign tokens, kept in the store, sealed as the CA's are. Each move of the ring is on disk before anything is
 * signed or published by it: a restart never signs with a key that was not published (A40). Throws `SIGNING_KEY_LOCKED`.
 */
export async function openSigningKeys(parts: SigningKeysParts): Promise<SigningKeys> {
  const { store, sealer, times, clock, emit } = parts;
  const oneByOne = inTurn();
  const listeners: (() => void)[] = [];
  const stored = store.signingKeys();
  const keys = new Map(stored.map((each) => [each.kid, openKey(sealer, each)]));
  let ring = ringOf(stored);
  let published: PublishedKeys = { jwks: '', version: store.signingKeyVersion() };

  /** On disk first, then in force, then told. */
  async function commit(next: rings.KeyRing, by: Revoker, revoked?: string): Promise<void> {
    const changes = changesBetween(ring, next, revoked);
    const version = published.version + 1;
    const rows = rings.publishedKeys(next).map((place) => toStored(place, mustKey(keys, place.kid), sealer));
    const nowMs = clock.now();
    await store.write((writer) => {
      writer.setSigningKeys(rows, version);
      for (const change of changes) {
        writer.audit(nowMs, { kind: 'signing-key-changed', ...change, operator: by.name, operatorId: by.id });
      }
    });
    ring = next;
    const kids = new Set(rings.publishedKids(next));
    for (const kid of keys.keys()) if (!kids.has(kid)) keys.delete(kid);
    published = { jwks: jwksOf(next, keys), version };
    for (const change of changes) emit({ event: 'signing-key.changed', ...change });
    for (const listener of listeners) listener();
  }

  async function newKid(): Promise<string> {
    const key = toSigningKey(await generateKeyPair());
    keys.set(key.kid, key);
    return key.kid;
  }

  /** Does what is due; the answer: when to come back. */
  async function move(): Promise<number> {
    for (;;) {
      const due = rings.dueMove(ring, clock.now(), times);
      if (due.atMs > clock.now()) return due.atMs;
      await commit(await moved(due.move), nobody);
    }
  }

  async function moved(due: rings.DueMove['move']): Promise<rings.KeyRing> {
    const kid = due === 'publish-next' ? await newKid() : '';
    const nowMs = clock.now();
    if (due === 'drop-dead') return rings.dropDead(ring, nowMs, times);
    const next = due === 'publish-next' ? rings.publishNext(ring, kid, nowMs) : rings.promoteNext(ring, nowMs, times);
    if (next.ok) return next.value;
    throw new Fault('SIGNING_KEYS_STUCK', `the signing keys cannot move: ${next.reason}`);
  }

  if (stored.length === 0) await commit(rings.startRing(await newKid(), clock.now()), nobody);
  else published = { jwks: jwksOf(ring, keys), version: published.version };
  await oneByOne(move);

  return {
    current: () => (ring.current === undefined ? undefined : keys.get(ring.current.kid)),
    published: () => published,
    ring: () => ring,
    revoke: (kid, by) =>
      oneByOne(async () => {
        if (!rings.publishedKids(ring).includes(kid)) return refuse('unknown-kid');
        await commit(rings.revokeKid(ring, kid), by, kid);
        await move(); // the next one may be due now
        return ok(undefined);
      }),
    onChange: (listener) => void listeners.push(listener),
    async run(signal) {
      for (;;) {
        signal.throwIfAborted();
        const waitMs = await oneByOne(move).then(
          (atMs) => Math.min(atMs - clock.now(), longestSleepMs),
          (error: unknown) => {
            emit({ event: 'signing-keys.rotation-failed', error });
            return afterFailureMs;
          },
        );
        await clock.sleep(Math.max(1, waitMs), signal);
      }
    },
  };
}

function ringOf(stored: readonly StoredSigningKey[]): rings.KeyRing {
  const previous = stored.filter(({ retiredAtMs }) => retiredAtMs !== undefined);
  return {
    next: stored.find(({ signsFromMs, retiredAtMs }) => signsFromMs === undefined && retiredAtMs === undefined),
    current: stored.find(({ signsFromMs, retiredAtMs }) => signsFromMs !== undefined && retiredAtMs === undefined),
    previous: previous.toSorted((a, b) => (a.retiredAtMs ?? 0) - (b.retiredAtMs ?? 0)),
  };
}

const contextOf = (kid: string): string => `eastwest token signing key ${kid}`;

function toStored(place: rings.RingKey, { kid, privateKey }: SigningKey, sealer: Sealer): StoredSigningKey {
  const { publishedAtMs, signsFromMs, retiredAtMs } = place;
  const sealedKey = sealer.seal(privateKey.export({ type: 'pkcs8', format: 'der' }), contextOf(kid));
  return { kid, sealedKey, publishedAtMs, signsFromMs, retiredAtMs };
}

function openKey(sealer: Sealer, { kid, sealedKey }: StoredSigningKey): SigningKey {
  const opened = sealer.open(sealedKey, contextOf(kid));
  if (!opened.ok) {
    throw new Fault(
      'SIGNING_KEY_LOCKED',
      `the signing key ${kid} does not open: a damaged store, or another key file`,
      {
        hint: 'start with the --key-file or --passphrase-file this data directory was first started with',
      },
    );
  }
  const privateKey = createPrivateKey({ key: opened.value, type: 'pkcs8', format: 'der' });
  const key = toSigningKey({ privateKey, publicKey: createPublicKey(privateKey) });
  if (key.kid === kid) return key;
  throw new Fault('STORE_DAMAGED', `the store's signing key ${kid} is another one`);
}

function mustKey(keys: ReadonlyMap<string, SigningKey>, kid: string): SigningKey {
  const key = keys.get(kid);
  if (key !== undefined) return key;
  throw new Fault('STORE_DAMAGED', `there is no signing key ${kid}`);
}

function jwksOf(ring: rings.KeyRing, keys: ReadonlyMap<string, SigningKey>): string {
  return writeKeySet(rings.publishedKids(ring).map((kid) => mustKey(keys, kid).publicJwk));
}
