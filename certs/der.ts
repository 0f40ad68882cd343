/** One DER value: a tag byte, and views (no copies) on its content and on the whole of it. */
export interface Der {
  readonly tag: number;
  readonly content: Buffer;
  readonly whole: Buffer;
}

/** Not DER, or not the structure that was asked for. Thrown below the readers of this room, which turn it into a refusal. */
export class MalformedDer extends Error {}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** Reads the one value that fills `bytes` (X.690, sections 8 and 10: definite, shortest lengths; tag numbers below 31). */
export function readDer(bytes: Buffer, tag: number): Der {
  const value = readAt(bytes, 0);
  if (value.tag !== tag || value.whole.length !== bytes.length) throw new MalformedDer();
  return value;
}

/** The values inside a constructed one, in order. */
export function readItems(content: Buffer): Der[] {
  const items: Der[] = [];
  for (let at = 0; at < content.length;) {
    const item = readAt(content, at);
    items.push(item);
    at += item.whole.length;
  }
  return items;
}

/** The items of a SEQUENCE; with `tag`, of another constructed value. */
export function readSequence(bytes: Buffer, tag: number = tags.sequence): Der[] {
  return readItems(readDer(bytes, tag).content);
}

/** The value's content, provided that it is there and has this tag. */
export function contentOf(value: Der | undefined, tag: number): Buffer {
  if (value?.tag !== tag) throw new MalformedDer();
  return value.content;
}

/** Content of an OBJECT IDENTIFIER as text: `2.5.29.17`. With an arc too large for a number, `#` and the content in hex. */
export function oidText(content: Buffer): string {
  if (((content.at(-1) ?? 0x80) & 0x80) !== 0) throw new MalformedDer(); // empty, or its last arc goes on
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    if (arc === 0 && byte === 0x80) throw new MalformedDer(); // not the shortest form
    arc = arc * 128 + (byte & 0x7f);
    if (!Number.isSafeInteger(arc)) return `#${content.toString('hex')}`;
    if ((byte & 0x80) !== 0) continue;
    const root = Math.min(Math.floor(arc / 40), 2); // the first two arcs share a number
    arcs.push(...(arcs.length === 0 ? [root, arc - 40 * root] : [arc]));
    arc = 0;
  }
  return arcs.join('.');
}

/** Content of an INTEGER that is not negative, as lower-case hex without leading zero bytes. */
export function unsignedHex(content: Buffer): string {
  const [first, second = 0] = content;
  if (first === undefined || first >= 0x80) throw new MalformedDer();
  if (first === 0 && content.length > 1 && second < 0x80) throw new MalformedDer(); // not the shortest form
  return content.toString('hex', first === 0 && content.length > 1 ? 1 : 0);
}

/** Content of a BIT STRING of whole bytes. */
export function wholeBytes(content: Buffer): Buffer {
  if (content[0] !== 0) throw new MalformedDer();
  return content.subarray(1);
}

/** Content of a BOOLEAN that differs from its default FALSE: DER knows only one such byte. */
export function isTrue(content: Buffer): true {
  if (content.length !== 1 || content[0] !== 0xff) throw new MalformedDer();
  return true;
}

function readAt(bytes: Buffer, at: number): Der {
  const tag = bytes[at];
  let length = bytes[at + 1];
  if (tag === undefined || length === undefined || (tag & 0x1f) === 0x1f) throw new MalformedDer();
  let start = at + 2;
  if (length >= 0x80) {
    const size = length - 0x80;
    if (size === 0 || size > 3 || start + size > bytes.length) throw new MalformedDer();
    length = bytes.readUIntBE(start, size);
    if (length < 0x80 || length < 2 ** (8 * (size - 1))) throw new MalformedDer();
    start += size;
  }
  const end = start + length;
  if (end > bytes.length) throw new MalformedDer();
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) };
}
