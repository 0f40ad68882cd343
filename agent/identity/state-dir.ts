import { createPrivateKey } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { certificatesToPem, parseCertificatesPem } from '#certs/pem.ts';
import { Fault } from '#runtime/fault.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import {
  isOurs,
  readPrivateFile,
  removeDrafts,
  replacePrivateFile,
  type PrivateFileProblem,
} from '#agent/private-file.ts';
import type { Identity } from './store.ts';
import { checkKeyPair, type KeyedIdentity, type PairProblem } from './key-pair.ts';
import type { TrustBundle } from '#certs/trust-bundle.ts';

/** Keeps key and SVID over a restart: one file, so that the two never disagree; readable by this user alone. */
export interface StateDir {
  /** The kept identity, if it is whole, ours and still valid in `bundle`. */
  load(check: { readonly bundle: TrustBundle; readonly nowMs: number }): Promise<Result<Identity, StateProblem>>;
  /** Throws `STATE_NOT_KEPT`; what was there before stays. */
  save(identity: Identity): Promise<void>;
}

export type StateProblem = PrivateFileProblem | 'malformed' | 'other-workload' | PairProblem;

const fileName = 'identity.json';
const maxFileBytes = 256 * 1024;
const format = 1;

interface Kept {
  readonly format: number;
  readonly workload: string;
  readonly issuedAtMs: number;
  readonly privateKey: string;
  readonly chain: string;
}

/** Makes the folder (0700) where there is none. Throws `STATE_DIR_UNSAFE` for one that others can look into. */
export async function openStateDir(path: string, workload: string): Promise<StateDir> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  if (!found.isDirectory() || (found.mode & 0o077) !== 0 || !isOurs(found.uid)) {
    throw new Fault('STATE_DIR_UNSAFE', `${path} holds private keys, but it is not a folder of this user alone`, {
      hint: `chown it to the agent's user and \`chmod 700 ${path}\`; a symbolic link is not accepted`,
    });
  }
  await removeDrafts(path, fileName);
  const file = join(path, fileName);
  return {
    async load(check) {
      const text = await readPrivateFile(file, maxFileBytes);
      if (!text.ok) return text;
      const kept = parseKept(text.value);
      if (kept === undefined) return refuse('malformed');
      if (kept.workload !== workload) return refuse('other-workload');
      const pair = readPair(kept, check);
      return pair.ok ? ok({ ...pair.value, bundle: check.bundle, issuedAtMs: kept.issuedAtMs }) : pair;
    },
    async save({ svid, privateKey, issuedAtMs }) {
      const kept: Kept = {
        format,
        workload,
        issuedAtMs,
        privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        chain: certificatesToPem(svid.chainDer),
      };
      try {
        await replacePrivateFile(path, fileName, `${JSON.stringify(kept)}\n`);
      } catch (cause) {
        throw new Fault('STATE_NOT_KEPT', `cannot write ${file}`, { cause });
      }
    },
  };
}

function readPair(
  kept: Kept,
  check: { readonly bundle: TrustBundle; readonly nowMs: number },
): Result<KeyedIdentity, StateProblem> {
  try {
    const chain = parseCertificatesPem(kept.chain);
    return chain.ok ? checkKeyPair(chain.value, createPrivateKey(kept.privateKey), check) : refuse('malformed');
  } catch {
    return refuse('malformed');
  }
}

function parseKept(text: string): Kept | undefined {
  try {
    const value = JSON.parse(text) as Partial<Kept> | null;
    const isKept =
      value?.format === format &&
      typeof value.workload === 'string' &&
      Number.isSafeInteger(value.issuedAtMs) &&
      typeof value.privateKey === 'string' &&
      typeof value.chain === 'string';
    return isKept ? (value as Kept) : undefined;
  } catch {
    return undefined;
  }
}
