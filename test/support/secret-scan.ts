import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes that somebody might get to read, and where. */
export interface Place {
  readonly where: string;
  readonly bytes: Buffer;
}

/** `<what> in <where>` for every private key, secret of ours or `known` secret (by its name) in any of `places`. */
export function findSecrets(
  places: readonly Place[],
  known: ReadonlyMap<string, Buffer> = new Map<string, Buffer>(),
): string[] {
  const needles = [...derPrefixes, ...known].map(([what, bytes]) => ({ what, forms: formsOf(bytes) }));
  return places.flatMap(({ where, bytes }) => {
    const text = bytes.toString('latin1');
    const unwrapped = text.replace(/\r?\n|\\r|\\n/g, ''); // base64 may go over several lines
    const byForm = forms.filter(([, form]) => form.test(text)).map(([what]) => what);
    const byBytes = needles
      .filter((needle) => needle.forms.some((form) => text.includes(form) || unwrapped.includes(form)))
      .map(({ what }) => what);
    return [...byForm, ...byBytes].map((what) => `${what} in ${where}`);
  });
}

const forms: readonly (readonly [what: string, form: RegExp])[] = [
  ['PEM private key', /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/],
  ['JWK private key', /"d"\s*:\s*"[\w-]{43}"/],
  ['join token', /ew1\.[0-9a-f]{16}\.[\w-]{43}/],
  ['client secret', /ewc1\.[0-9a-f]{16}\.[\w-]{43}/],
  ["operator's credential", /ewo1\.[0-9a-f]{16}\.[\w-]{43}/],
];

/** What every key of that kind has near its start, whatever the lengths around it. */
const derPrefixes: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['PKCS#8 EC private key', Buffer.from('020100301306072a8648ce3d0201', 'hex')],
  ['PKCS#8 RSA private key', Buffer.from('020100300d06092a864886f70d010101', 'hex')],
  ['SEC1 P-256 private key', Buffer.from('30770201010420', 'hex')],
];

/** The bytes as they are, in hexadecimal, and in base64 and base64url wherever they begin in what was encoded. */
function formsOf(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    return encoded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
  });
  const base64url = base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'));
  return [bytes.toString('latin1'), hex, hex.toUpperCase(), ...base64, ...base64url];
}

export interface FoundFile extends Place {
  readonly mode: number;
}

/** Every file below `folder`; links are not followed, sockets have nothing to read. */
export function readFolder(folder: string): FoundFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    const where = join(folder, name);
    try {
      const found = lstatSync(where);
      return found.isFile() ? [{ where, bytes: readFileSync(where), mode: found.mode & 0o777 }] : [];
    } catch {
      return []; // gone since it was listed
    }
  });
}

/** Folders at and below `folder` that others can enter. */
export function openFolders(folder: string): string[] {
  const below = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  return [folder, ...below].filter((path) => (lstatSync(path).mode & 0o077) !== 0);
}
