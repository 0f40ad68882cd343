import { contentOf, oidText, readItems, readSequence, tags } from './der.ts';

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

function pairText(pairDer: Buffer): string {
  const [type, value] = readSequence(pairDer);
  const oid = oidText(contentOf(type, tags.oid));
  const name = shortNames[oid];
  const text = value?.tag === tags.utf8String || value?.tag === tags.printableString || value?.tag === tags.ia5String;
  if (name === undefined || !text) return `${name ?? oid}=#${value?.whole.toString('hex') ?? ''}`;
  return `${name}=${escaped(value.content.toString())}`;
}

/** RFC 4514, section 2.4; control characters as hex pairs, so that the line stays one line. */
function escaped(text: string): string {
  return text
    .replace(/[\\",+;<>=]/g, '\\$&')
    .replace(/^[ #]| $/g, '\\$&')
    .replace(/[\u0000-\u001f\u007f]/g, (c) => `\\${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
