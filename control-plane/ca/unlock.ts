import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeySource } from '#control-plane/config.ts';
import { syncFolderOf } from '#control-plane/data-dir.ts';
import type { KeyEncryption, Store } from '#control-plane/store/store.ts';
import { Fault } from '#runtime/fault.ts';
import { createSealer, type Sealer, type UnlockSecret } from './sealing.ts';

const generatedKeyFile = 'ca.key-encryption-key';

/** Unlocked, and how: what a first start writes into the store. */
export interface Unlocked {
  readonly sealer: Sealer;
  readonly keyEncryption: KeyEncryption;
}

/** Reads the key file or passphrase. A store that was set up before says which of the two it must be. */
export async function unlock(store: Store, dataDir: string, source: KeySource): Promise<Unlocked> {
  const known = store.keyEncryption();
  const secret = await readSecret(dataDir, source, known === undefined ? 'first-start' : 'set-up-before');
  if (known !== undefined && known.source !== secret.source) {
    throw new Fault(
      'CA_KEY_LOCKED',
      `the CA's keys are encrypted with a ${known.source}, but a ${secret.source} was given`,
      {
        hint: known.source === 'passphrase' ? 'start with --passphrase-file FILE' : 'start with --key-file FILE',
      },
    );
  }
  const keyEncryption = known ?? { source: secret.source, salt: randomBytes(32) };
  return { sealer: await createSealer(secret, keyEncryption.salt), keyEncryption };
}

async function readSecret(
  dataDir: string,
  source: KeySource,
  phase: 'first-start' | 'set-up-before',
): Promise<UnlockSecret> {
  const path = source.kind === 'generated' ? join(dataDir, generatedKeyFile) : source.path;
  if (source.kind === 'generated' && phase === 'first-start') await makeKeyFile(path);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new Fault('CA_KEY_LOCKED', `cannot read ${path}, which unlocks the CA's keys`, {
      cause,
      hint: 'put the file back, or name the right one with --key-file FILE or --passphrase-file FILE; without it the CA is lost',
    });
  });
  if (source.kind !== 'passphrase-file') {
    if (bytes.length >= 32) return { source: 'key-file', bytes };
    throw new Fault('CA_KEY_WEAK', `${path} has ${bytes.length} bytes, a key file has 32 or more`, {
      hint: 'make one with: openssl rand -out FILE 32',
    });
  }
  const passphrase = Buffer.from(
    bytes
      .toString('utf8')
      .replace(/\r?\n$/, '')
      .normalize('NFC'),
  );
  if (passphrase.length >= 12) return { source: 'passphrase', bytes: passphrase };
  throw new Fault('CA_KEY_WEAK', `the passphrase in ${path} is shorter than 12 characters`, {
    hint: 'use several random words',
  });
}

/** 32 random bytes, mode 0600, there whole or not at all; one that exists already stays. */
async function makeKeyFile(path: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(randomBytes(32));
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  } finally {
    await rm(draft);
  }
  await syncFolderOf(path); // before anything is encrypted with it
}
