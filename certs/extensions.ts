import {
  contentOf,
  isTrue,
  MalformedDer,
  oidText,
  readItems,
  readSequence,
  tags,
  unsignedHex,
  type Der,
} from './der.ts';
import { oids } from './oids.ts';

/** A GeneralName: its tag (`nameTags`) and the bytes below it. */
export interface GeneralName {
  readonly tag: number;
  readonly content: Buffer;
}

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** What this project knows of a certificate's extensions (RFC 5280, section 4.2). Absent ones are `undefined`. */
export interface Extensions {
  readonly names: readonly GeneralName[];
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | undefined } | undefined;
  /** The first byte of the bits (`keyUsageBits`); the ninth bit, decipherOnly, says nothing here. */
  readonly keyUsage: { readonly bits: number; readonly critical: boolean } | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  readonly subjectKeyId: Buffer | undefined;
  readonly authorityKeyId: Buffer | undefined;
  /** OIDs of critical extensions that are not among the above. */
  readonly unknownCritical: readonly string[];
}

export const noExtensions: Extensions = {
  names: [],
  basicConstraints: undefined,
  keyUsage: undefined,
  extendedKeyUsage: undefined,
  nameConstraints: undefined,
  subjectKeyId: undefined,
  authorityKeyId: undefined,
  unknownCritical: [],
};

/** Reads `Extensions`; one that stands twice or holds something else than it should makes the whole certificate malformed. */
export function readExtensions(listDer: Buffer): Extensions {
  const found = new Map<string, { critical: boolean; value: Buffer }>();
  for (const extension of readSequence(listDer)) {
    const parts = readSequence(extension.whole);
    const oid = oidText(contentOf(parts[0], tags.oid));
    const critical = parts.length === 3 && isTrue(contentOf(parts[1], tags.boolean));
    if (parts.length > 3 || found.has(oid)) throw new MalformedDer();
    found.set(oid, { critical, value: contentOf(parts.at(-1), tags.octetString) });
  }
  if (found.size === 0) throw new MalformedDer();
  const take = <T>(oid: string, read: (value: Buffer, critical: boolean) => T): T | undefined => {
    const extension = found.get(oid);
    found.delete(oid);
    return extension && read(extension.value, extension.critical);
  };
  return {
    names: take(oids.subjectAltName, readNames) ?? [],
    basicConstraints: take(oids.basicConstraints, readBasicConstraints),
    keyUsage: take(oids.keyUsage, (value, critical) => ({ bits: readKeyUsage(value), critical })),
    extendedKeyUsage: take(oids.extendedKeyUsage, readPurposes),
    nameConstraints: take(oids.nameConstraints, readNameConstraints),
    subjectKeyId: take(oids.subjectKeyId, (value) => contentOf(readOne(value), tags.octetString)),
    authorityKeyId: take(oids.authorityKeyId, readAuthorityKeyId),
    unknownCritical: [...found].filter(([, extension]) => extension.critical).map(([oid]) => oid),
  };
}

function readOne(value: Buffer): Der {
  const [item, ...surplus] = readItems(value);
  if (!item || surplus.length > 0) throw new MalformedDer();
  return item;
}

function readNames(value: Buffer): GeneralName[] {
  const names = readSequence(value);
  if (names.length === 0) throw new MalformedDer();
  return names;
}

function readBasicConstraints(value: Buffer): { ca: boolean; pathLength: number | undefined } {
  const parts = readSequence(value);
  const ca = parts[0]?.tag === tags.boolean ? isTrue(parts.shift()?.content ?? value) : false;
  const limit = parts.shift();
  if (parts.length > 0 || (limit && !ca)) throw new MalformedDer();
  if (!limit) return { ca, pathLength: undefined };
  const hex = unsignedHex(contentOf(limit, tags.integer));
  return { ca, pathLength: Math.min(Number.parseInt(hex.slice(-8), 16), 255) };
}

function readKeyUsage(value: Buffer): number {
  const content = contentOf(readOne(value), tags.bitString);
  const [unused, bits] = content;
  if (unused === undefined || bits === undefined || unused > 7 || content.length > 3) throw new MalformedDer();
  return bits;
}

function readPurposes(value: Buffer): string[] {
  const purposes = readSequence(value).map((purpose) => oidText(contentOf(purpose, tags.oid)));
  if (purposes.length === 0) throw new MalformedDer();
  return purposes;
}

function readNameConstraints(value: Buffer): NameConstraints {
  const lists = { permitted: [] as GeneralName[], excluded: [] as GeneralName[] };
  for (const list of readSequence(value)) {
    if (list.tag !== 0xa0 && list.tag !== 0xa1) throw new MalformedDer();
    for (const subtree of readItems(list.content)) {
      const [base, ...distance] = readSequence(subtree.whole);
      if (!base || distance.length > 0) throw new MalformedDer(); // minimum and maximum: not in RFC 5280's profile
      (list.tag === 0xa0 ? lists.permitted : lists.excluded).push(base);
    }
  }
  return lists;
}

function readAuthorityKeyId(value: Buffer): Buffer | undefined {
  return readSequence(value).find((part) => part.tag === 0x80)?.content;
}
