import type { HeaderField } from '#agent/http/header-field.ts';
import { fieldKind, kindOfField, kindOfName, octetsProblem, pseudoKinds } from './field-kind.ts';
import type { FieldSection } from './fields.ts';
import { decodeHuffman, decodedBytesAtMost } from './hpack-huffman.ts';
import { entryOverhead, staticTable, tableEntry, type TableEntry } from './hpack-static.ts';
import { markNeverIndexed } from './never-indexed.ts';

export interface DecoderLimits {
  /** What our SETTINGS_HEADER_TABLE_SIZE says, at least 4096. */
  readonly tableBytes: number;
  /** Of one section, each field with 32 bytes more than it has. */
  readonly maxListBytes: number;
  readonly maxFields: number;
}

export type DecodeOutcome =
  | 'decoded'
  /** Well-formed, but longer than allowed; the table is up to date, so the session can go on. */
  | 'oversized'
  /** So much longer that it can only be meant badly: decoding stopped, the session cannot go on. */
  | 'bomb'
  /** Not HPACK: the session cannot go on (RFC 9113, section 4.3). */
  | 'malformed';

/** A list is a bomb when it has this many times the bytes allowed. */
const bombFactor = 8;
const largestInteger = 2 ** 28;
const staticEntries = staticTable.length;

let scratch = Buffer.allocUnsafeSlow(4_096);

/** Decodes the field blocks of one direction of a session, in order (RFC 7541). Is the section that it decoded last. */
export class HpackDecoder implements FieldSection {
  fields: readonly HeaderField[] = [];
  kinds = 0;
  kindsTwice = 0;
  hasLatePseudo = false;
  readonly #limits: DecoderLimits;
  #list: HeaderField[] = [];
  #listBytes = 0;
  #block: Buffer = scratch;
  #at = 0;
  #end = 0;
  #isMalformed = false;
  /** Ring; the newest entry is the one before `#inserted`. */
  #ring: (TableEntry | undefined)[] = [];
  #inserted = 0;
  #entries = 0;
  #tableBytes = 0;
  #maxTableBytes = 4_096;
  /** Set with each string read: what is wrong with its octets. */
  #octets: Buffer = scratch;
  #octetsAt = 0;

  constructor(limits: DecoderLimits) {
    this.#limits = limits;
  }

  /** Reads one whole block. Afterwards the section stands in `fields`, which the decoder gives away. */
  decode(block: Buffer, from = 0, to = block.length): DecodeOutcome {
    this.#block = block;
    this.#at = from;
    this.#end = to;
    this.#list = [];
    this.#listBytes = 0;
    this.#isMalformed = false;
    this.kinds = 0;
    this.kindsTwice = 0;
    this.hasLatePseudo = false;
    this.#readSizeUpdates();
    const bombBytes = this.#limits.maxListBytes * bombFactor;
    while (this.#at < this.#end && !this.#isMalformed && this.#listBytes <= bombBytes) this.#readField();
    this.#block = scratch;
    this.fields = this.#list;
    if (this.#isMalformed) return 'malformed';
    if (this.#listBytes > bombBytes) return 'bomb';
    return this.#isWithinLimits() ? 'decoded' : 'oversized';
  }

  #isWithinLimits(): boolean {
    return this.#listBytes <= this.#limits.maxListBytes && this.#list.length <= this.#limits.maxFields;
  }

  /** At most two, and only before the first field (RFC 7541, section 4.2). */
  #readSizeUpdates(): void {
    for (let updates = 0; this.#at < this.#end && (this.#block[this.#at]! & 0xe0) === 0x20; updates += 1) {
      const bytes = this.#readInteger(0x1f);
      if (updates === 2 || bytes > this.#limits.tableBytes) this.#isMalformed = true;
      if (this.#isMalformed) return;
      this.#maxTableBytes = bytes;
      this.#evict(bytes);
    }
  }

  #readField(): void {
    const first = this.#block[this.#at]!;
    if ((first & 0x80) !== 0) {
      const entry = this.#entryAt(this.#readInteger(0x7f));
      if (entry) this.#add(entry.field, entry.kind, entry.size);
      else this.#isMalformed = true;
    } else if ((first & 0x40) !== 0) {
      this.#readLiteral(0x3f, 'indexed');
    } else if ((first & 0x20) !== 0) {
      this.#isMalformed = true; // a size update after a field
    } else {
      this.#readLiteral(0xf, (first & 0x10) === 0 ? 'not-indexed' : 'never-indexed');
    }
  }

  /** A literal field (RFC 7541, section 6.2); `indexMask`: the bits of its first octet that begin the name's index. */
  #readLiteral(indexMask: 0x3f | 0xf, kept: 'indexed' | 'not-indexed' | 'never-indexed'): void {
    const index = this.#readInteger(indexMask);
    const named = index === 0 ? undefined : this.#entryAt(index);
    if (index !== 0 && named === undefined) this.#isMalformed = true;
    const name = named ? named.field.name : this.#readString();
    const nameKind = named ? named.nameKind : kindOfName(name, this.#octets, this.#octetsAt);
    const value = this.#readString();
    if (this.#isMalformed) return;
    const problem = octetsProblem(this.#octets, this.#octetsAt, this.#octetsAt + value.length);
    const field = { name, rawName: name, value };
    if (kept === 'indexed') {
      const entry = tableEntry(field, nameKind, problem);
      this.#insert(entry);
      return this.#add(entry.field, entry.kind, entry.size);
    }
    if (kept === 'never-indexed') markNeverIndexed(field);
    this.#add(field, kindOfField(nameKind, name, value) | problem, name.length + value.length + entryOverhead);
  }

  #add(field: HeaderField, kind: number, size: number): void {
    this.#listBytes += size;
    if ((kind & pseudoKinds) !== 0 && (this.kinds & fieldKind.regular) !== 0) this.hasLatePseudo = true;
    this.kindsTwice |= this.kinds & kind;
    this.kinds |= kind;
    // One more than allowed is kept, so that it shows; what lies beyond is counted only.
    if (this.#list.length <= this.#limits.maxFields && this.#listBytes <= this.#limits.maxListBytes)
      this.#list.push(field);
  }

  #entryAt(index: number): TableEntry | undefined {
    if (index <= staticEntries) return staticTable[index - 1];
    const age = index - staticEntries;
    if (age > this.#entries) return undefined;
    return this.#ring[(this.#inserted - age) & (this.#ring.length - 1)];
  }

  #insert(entry: TableEntry): void {
    this.#evict(this.#maxTableBytes - entry.size);
    if (entry.size > this.#maxTableBytes) return; // the table is empty now (RFC 7541, section 4.4)
    if (this.#entries === this.#ring.length) this.#grow();
    this.#ring[this.#inserted & (this.#ring.length - 1)] = entry;
    this.#inserted += 1;
    this.#entries += 1;
    this.#tableBytes += entry.size;
  }

  /** Drops the oldest entries until the rest has at most so many bytes. */
  #evict(toBytes: number): void {
    while (this.#tableBytes > toBytes && this.#entries > 0) {
      const at = (this.#inserted - this.#entries) & (this.#ring.length - 1);
      this.#tableBytes -= this.#ring[at]!.size;
      this.#ring[at] = undefined;
      this.#entries -= 1;
    }
  }

  /** The ring's length stays a power of two. */
  #grow(): void {
    const old = this.#ring;
    const ring: (TableEntry | undefined)[] = Array.from({ length: Math.max(16, old.length * 2) }, () => undefined);
    for (let age = 1; age <= this.#entries; age += 1) {
      const number = this.#inserted - age;
      ring[number & (ring.length - 1)] = old[number & (old.length - 1)];
    }
    this.#ring = ring;
  }

  /** An integer whose first octet has `mask` for a prefix (RFC 7541, section 5.1). */
  #readInteger(mask: number): number {
    let value = this.#block[this.#at]! & mask;
    this.#at += 1;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (this.#at >= this.#end || shift > 28) break;
      const byte = this.#block[this.#at]!;
      this.#at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (value > largestInteger) break;
      if ((byte & 0x80) === 0) return value;
    }
    this.#isMalformed = true;
    return 0;
  }

  /** Reads a string and leaves in `#octets` where its octets stand. */
  #readString(): string {
    if (this.#isMalformed || this.#at >= this.#end) {
      this.#isMalformed = true;
      return '';
    }
    const isHuffman = (this.#block[this.#at]! & 0x80) !== 0;
    const bytes = this.#readInteger(0x7f);
    const from = this.#at;
    const to = from + bytes;
    if (this.#isMalformed || to > this.#end) {
      this.#isMalformed = true;
      return '';
    }
    this.#at = to;
    if (!isHuffman) {
      this.#octets = this.#block;
      this.#octetsAt = from;
      return this.#block.toString('latin1', from, to);
    }
    if (scratch.length < decodedBytesAtMost(bytes)) scratch = Buffer.allocUnsafeSlow(decodedBytesAtMost(bytes) * 2);
    const length = decodeHuffman(this.#block, from, to, scratch);
    this.#octets = scratch;
    this.#octetsAt = 0;
    if (length >= 0) return scratch.toString('latin1', 0, length);
    this.#isMalformed = true;
    return '';
  }
}
