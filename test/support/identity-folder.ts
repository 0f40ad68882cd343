import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestAuthority, TestCertificate } from './test-ca.ts';

const identityFiles = ['tls.crt', 'tls.key', 'ca.crt'] as const;

/** How a folder is written: file by file in place, as scripts do, or as Kubernetes mounts a secret. */
export type FolderStyle = 'plain' | 'kubernetes';

/** A folder with `tls.crt`, `tls.key` and `ca.crt`, as somebody else keeps it for an agent. */
export interface IdentityFolder extends Disposable {
  readonly path: string;
  write(certificate: TestCertificate, roots: readonly TestAuthority[]): void;
  /** Makes the files bad, and returns how to put the very same content back. */
  spoil(how: 'missing' | 'garbage' | 'truncated' | 'no-folder'): () => void;
}

export function createIdentityFolder(style: FolderStyle = 'plain'): IdentityFolder {
  const parent = mkdtempSync(join(tmpdir(), 'eastwest-identity-'));
  const path = join(parent, 'certs');
  mkdirSync(path, { mode: 0o700 });
  const put = style === 'plain' ? putPlain : putKubernetes;
  return {
    path,
    write(certificate, roots) {
      const bundle = roots.map(({ bundlePem }) => bundlePem).join('');
      put(path, [certificate.chainPem, certificate.keyPem, bundle]);
    },
    spoil(how) {
      const good = identityFiles.map((name) => readFileSync(join(path, name), 'latin1'));
      if (how === 'no-folder') {
        renameSync(path, `${path}.away`);
        return () => renameSync(`${path}.away`, path);
      }
      if (how === 'missing' && style === 'plain') for (const name of identityFiles) rmSync(join(path, name));
      else if (how === 'missing') rmSync(join(path, '..data'));
      else
        put(path, good.map((text) => (how === 'garbage' ? 'garbage\n' : text.slice(0, text.length / 2))) as Contents);
      return () => put(path, good);
    },
    [Symbol.dispose]: () => rmSync(parent, { recursive: true, force: true }),
  };
}

/** In the order of `identityFiles`. */
type Contents = readonly string[];

function putPlain(path: string, contents: Contents): void {
  for (const [index, name] of identityFiles.entries())
    writeFileSync(join(path, name), contents[index]!, { mode: 0o600 });
}

/** A new folder beside the old one, then one rename of the link `..data` that the three files hang on. */
function putKubernetes(path: string, contents: Contents): void {
  const version = mkdtempSync(join(path, '..version_'));
  putPlain(version, contents);
  const old = readdirSync(path).includes('..data') ? readlinkSync(join(path, '..data')) : undefined;
  symlinkSync(version.slice(path.length + 1), join(path, '..data_tmp'));
  renameSync(join(path, '..data_tmp'), join(path, '..data'));
  for (const name of identityFiles) {
    if (!readdirSync(path).includes(name)) symlinkSync(join('..data', name), join(path, name));
  }
  if (old !== undefined) rmSync(join(path, old), { recursive: true, force: true });
}
