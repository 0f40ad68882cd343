import { isUtf8 } from 'node:buffer';
import { contentOf, oidText, readItems, readSequence, tags } from './der.ts';
import { oids } from './oids.ts';

const shortNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
};

/** A distinguished name on one line, last part first (RFC 4514): `CN=cart,O=Shop`. Unknown types or encodings as `oid=#hex`. */
export function subjectText(nameDer: Buffer): string {
  return readSequence(nameDer)
    .reverse()
    .map((part) =>
      readItems(contentOf(part, tags.set))
        .map((pair) => pairText(pair.whole))
        .join('+'),
    )
    .join(',');
}

/** The common name as it is written there, if there is exactly one; one that is no UTF-8, or has control characters, counts as none. */
export function commonNameOf(nameDer: Buffer): string | undefined {
  const names = readSequence(nameDer)
    .flatMap((part) => readItems(contentOf(part, tags.set)))
    .flatMap((pair) => {
      const [type, value] = readSequence(pair.whole);
      return oidText(contentOf(type, tags.oid)) === oids.commonName ? [value] : [];
    });
  const [name, ...more] = names;
  if (name === undefined || more.length > 0 || !isText(name.tag) || !isUtf8(name.content)) return undefined;
  const text = name.content.toString();
  return /[\u0000-\u001f\u007f]/.test(text) ? undefined : text;
}

function isText(tag: number): boolean {
  return tag === tags.utf8String || tag === tags.printableString || tag === tags.ia5String;
}

function pairText(pairDer: Buffer): string {
  const [type, value] = readSequence(pairDer);
  const oid = oidText(contentOf(type, tags.oid));
  const name = shortNames[oid];
  if (name === undefined || value === undefined || !isText(value.tag)) {
    return `${name ?? oid}=#${value?.whole.toString('hex') ?? ''}`;
  }
  return `${name}=${escaped(value.content.toString())}`;
}

/** RFC 4514, section 2.4; control characters as hex pairs, so that the line stays one line. */
function escaped(text: string): string {
  return text
    .replace(/[\\",+;<>=]/g, '\\$&')
    .replace(/^[ #]| $/g, '\\$&')
    .replace(/[\u0000-\u001f\u007f]/g, (c) => `\\${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
