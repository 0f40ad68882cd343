import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { parseCertificatesPem } from '#certs/pem.ts';
import { createTrustBundle, sameRoots, type TrustBundle } from '#certs/trust-bundle.ts';
import type { Clock } from '#runtime/clock.ts';
import { readBoundedFile } from '#runtime/bounded-file.ts';
import { defaultFolderWatch, watchFolder } from '#runtime/file-watch.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Readiness } from '#agent/admin/readiness.ts';
import type { FilesIdentityConfig } from '#agent/config-types.ts';
import type { AgentEmit } from '#agent/events.ts';
import { checkKeyPair } from './key-pair.ts';
import { createPause } from './pause.ts';
import { prepareNext, type PrepareIdentity } from './prepare-next.ts';
import type { IdentitySource } from './source.ts';
import type { Identity, IdentityStore } from './store.ts';

export interface FileIdentityParts {
  readonly config: FilesIdentityConfig;
  readonly store: IdentityStore;
  readonly readiness: Readiness;
  /** Called before a set that replaces a valid one is published. */
  readonly prepare?: PrepareIdentity | undefined;
  readonly clock: Clock;
  readonly emit: AgentEmit;
}

const names = { chain: 'tls.crt', key: 'tls.key', roots: 'ca.crt' } as const;
const maxFileBytes = 256 * 1024;
/** The three files are written one after the other: a set that does not fit is looked at again before it is reported. */
const secondLookMs = 200;

/**
 * An identity that somebody else keeps in a folder: `tls.crt` (leaf first), `tls.key`, `ca.crt`. A set is taken only when
 * it is whole and stands in its own roots; until then the last good one stays, and at the start the agent waits.
 */
export class FileIdentity implements IdentitySource {
  readonly #parts: FileIdentityParts;
  readonly #pause;
  #rotations = 0;
  #takenDigest = '';
  #reported = '';
  /** Thumbprint of the SVID whose end was told. */
  #toldExpired = '';

  constructor(parts: FileIdentityParts) {
    this.#parts = parts;
    this.#pause = createPause(parts.clock);
  }

  status() {
    return { rotations: this.#rotations, skewMs: 0, controlPlane: 'none', joinTokenUses: 0 } as const;
  }

  /** Looks at the files now. */
  renewNow(): void {
    this.#pause.cut();
  }

  async run(signal: AbortSignal): Promise<never> {
    const { config, clock } = this.#parts;
    const look = () => this.#look(signal);
    const asked = async (): Promise<never> => {
      for (;;) {
        await this.#pause.wait(forever, signal);
        await look();
      }
    };
    return Promise.race([watchFolder(config.dir, look, { ...defaultFolderWatch, clock }, signal), asked()]);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const first = await this.#read();
    if (first.ok) await this.#take(first.value, signal);
    else {
      await this.#parts.clock.sleep(secondLookMs, signal);
      const second = await this.#read();
      if (second.ok) await this.#take(second.value, signal);
      else this.#report(second.reason);
    }
    this.#reportExpiry();
  }

  async #read(): Promise<Result<FileSet, string>> {
    const { config, store, clock } = this.#parts;
    const texts = await readFiles(config.dir);
    if (!texts.ok) return texts;
    const digest = digestOf(texts.value);
    const current = store.current();
    if (current !== undefined && digest === this.#takenDigest) return ok({ digest, identity: undefined });
    const identity = readIdentity(texts.value, {
      trustDomain: config.trustDomain,
      earlier: current?.bundle,
      nowMs: clock.now(),
    });
    return identity.ok ? ok({ digest, identity: identity.value }) : identity;
  }

  async #take({ digest, identity }: FileSet, signal: AbortSignal): Promise<void> {
    const { store, readiness, clock, prepare, emit } = this.#parts;
    this.#reported = '';
    readiness.clear('identity-files-unusable');
    if (identity === undefined) return; // the very same as before
    this.#takenDigest = digest;
    const before = store.current();
    const validForMs = (before?.svid.notAfterMs ?? 0) - clock.now();
    await prepareNext(prepare, identity, { validForMs, clock, signal });
    const { svid, generation } = store.replace(identity);
    if (before !== undefined && before.svid.thumbprint !== svid.thumbprint) this.#rotations += 1;
    emit({ event: 'identity-files.applied', generation, serialHex: svid.serialHex, notAfterMs: svid.notAfterMs });
  }

  #report(problem: string): void {
    const { store, readiness, clock, emit } = this.#parts;
    const validForMs = Math.max(0, (store.current()?.svid.notAfterMs ?? 0) - clock.now());
    const detail = `${this.#parts.config.dir}: ${problem}`;
    if (validForMs === 0) readiness.block('identity-files-unusable', detail);
    if (problem === this.#reported) return;
    this.#reported = problem;
    emit({ event: 'identity-files.refused', problem: detail, validForMs });
  }

  /** Once for each SVID, also when the files are fine but nobody renews them. */
  #reportExpiry(): void {
    const { store, clock, emit } = this.#parts;
    const svid = store.current()?.svid;
    if (svid === undefined || clock.now() < svid.notAfterMs || svid.thumbprint === this.#toldExpired) return;
    this.#toldExpired = svid.thumbprint;
    emit({ event: 'svid.expired', expiredForMs: clock.now() - svid.notAfterMs });
  }
}

const forever = 2 ** 31 - 1;

interface FileSet {
  readonly digest: string;
  /** Undefined: the set that was taken already. */
  readonly identity: Identity | undefined;
}

type Texts = Readonly<Record<keyof typeof names, string>>;

function readIdentity(
  { chain, key, roots }: Texts,
  facts: { readonly trustDomain: string; readonly earlier: TrustBundle | undefined; readonly nowMs: number },
): Result<Identity, string> {
  const bundle = readBundle(roots, facts);
  if (!bundle.ok) return refuse(`${names.roots} is ${bundle.reason}`);
  const chainDer = parseCertificatesPem(chain);
  if (!chainDer.ok) return refuse(`${names.chain} is ${chainDer.reason}`);
  const privateKey = readKey(key);
  if (privateKey === undefined) return refuse(`${names.key} is not a private key in PEM`);
  const pair = checkKeyPair(chainDer.value, privateKey, { bundle: bundle.value, nowMs: facts.nowMs });
  if (!pair.ok)
    return refuse(
      pair.reason === 'key-mismatch'
        ? `${names.key} is not the key of ${names.chain}`
        : `${names.chain} is ${pair.reason}`,
    );
  return ok({ ...pair.value, bundle: bundle.value, issuedAtMs: pair.value.svid.notBeforeMs });
}

/** The bundle we have, when its roots are still the same; the next version otherwise. */
function readBundle(
  pem: string,
  { trustDomain, earlier }: { readonly trustDomain: string; readonly earlier: TrustBundle | undefined },
): Result<TrustBundle, string> {
  const roots = parseCertificatesPem(pem);
  if (!roots.ok) return roots;
  const bundle = createTrustBundle({ trustDomain, version: (earlier?.version ?? 0) + 1, roots: roots.value });
  return bundle.ok && earlier !== undefined && sameRoots(earlier, bundle.value) ? ok(earlier) : bundle;
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined; // OpenSSL's words may quote the file
  }
}

async function readFiles(dir: string): Promise<Result<Texts, string>> {
  const texts = { chain: '', key: '', roots: '' };
  for (const part of ['chain', 'key', 'roots'] as const) {
    const text = await readBoundedFile(join(dir, names[part]), maxFileBytes);
    if (!text.ok) return refuse(`${names[part]} ${text.reason}`);
    texts[part] = text.value;
  }
  return ok(texts);
}

function digestOf({ chain, key, roots }: Texts): string {
  return createHash('sha256')
    .update(JSON.stringify([chain, key, roots]))
    .digest('hex');
}
