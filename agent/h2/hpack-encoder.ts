import { noBytes } from '#agent/pipe/no-bytes.ts';
import { entryOverhead, staticTable } from './hpack-static.ts';
import { isSecretName, type HeaderField } from '#agent/http/header-field.ts';
import { isMarkedNeverIndexed } from './never-indexed.ts';

/** Most values of a name change with every message: only a value that is seen again while it is remembered goes into the table. */
const rememberedValues = 8;
const rememberedNames = 128;
/** Longer values would push out too much. */
const longestIndexed = 512;
/** Our own ceiling, whatever the peer would allow. */
const tableBytesAtMost = 8_192;
const ringLength = tableBytesAtMost / entryOverhead;
const staticEntries = staticTable.length;
/** In `marks`: not in a table. Up to `staticEntries`: there. Beyond: the number of an insertion, moved by as much plus one. */
const nowhere = 0;

/** What is remembered of a name. */
interface NameSlot {
  readonly name: string;
  /** 0 where the static table has no such name. */
  readonly staticIndex: number;
  readonly isSecret: boolean;
  /** The youngest entry with this name. */
  mark: number;
  /** Those of the static table stand first and are never forgotten. */
  readonly values: string[];
  readonly marks: number[];
  readonly staticValues: number;
  /** Which remembered value gives way next. */
  next: number;
}

const staticNames = new Map<string, { index: number; values: readonly string[] }>();
for (const [at, { field }] of staticTable.entries()) {
  const known = staticNames.get(field.name);
  const values = field.value === '' ? [] : [field.value];
  if (known === undefined) staticNames.set(field.name, { index: at + 1, values });
  else staticNames.set(field.name, { index: known.index, values: [...known.values, ...values] });
}

const incremental = 0x40;
const neverIndexed = 0x10;

/** Encodes field sections of one direction of a session. Strings are written as they are: Huffman costs more time than it saves. */
export class HpackEncoder {
  readonly #slots = new Map<string, NameSlot>();
  /** Sizes of the entries, by number. */
  readonly #sizes: number[] = [];
  #oldest = 0;
  #inserted = 0;
  #tableBytes = 0;
  #maxTableBytes = 4_096;
  /** The smallest limit since the last block; -1: none is to be told. */
  #toldSmallest = -1;
  #into: Buffer = noBytes;
  #at = 0;

  /** SETTINGS_HEADER_TABLE_SIZE of the peer. Told at the start of the next block (RFC 7541, section 4.2). */
  limitTable(bytes: number): void {
    const limit = Math.min(bytes, tableBytesAtMost);
    if (limit === this.#maxTableBytes && this.#toldSmallest === -1) return;
    this.#toldSmallest = this.#toldSmallest === -1 ? limit : Math.min(this.#toldSmallest, limit);
    this.#maxTableBytes = limit;
  }

  /** How many bytes the block of these fields has at most. */
  bytesAtMost(fields: readonly HeaderField[]): number {
    let bytes = 12;
    for (const { name, value } of fields) bytes += name.length + value.length + 12;
    return bytes;
  }

  /** Writes the block to `into`, which has room for `bytesAtMost`, from `at`. Answers where it ends. */
  encode(fields: readonly HeaderField[], into: Buffer, at: number): number {
    this.#into = into;
    this.#at = at;
    if (this.#toldSmallest !== -1) this.#tellSize();
    for (let index = 0; index < fields.length; index += 1) this.#field(fields[index]!);
    return this.#at;
  }

  #tellSize(): void {
    this.#evict(this.#toldSmallest);
    if (this.#toldSmallest < this.#maxTableBytes) this.#integer(0x20, 0x1f, this.#toldSmallest);
    this.#integer(0x20, 0x1f, this.#maxTableBytes);
    this.#toldSmallest = -1;
  }

  #field(field: HeaderField): void {
    const slot = this.#slots.get(field.name) ?? this.#remember(field.name);
    const { value } = field;
    if (slot.isSecret) return this.#literal(neverIndexed, slot, value);
    const { values } = slot;
    for (let at = 0; at < values.length; at += 1) {
      if (values[at] !== value) continue;
      const mark = slot.marks[at]!;
      if (this.#isPresent(mark)) return this.#integer(0x80, 0x7f, this.#indexOf(mark));
      if (!this.#mayIndex(field)) break;
      this.#literal(incremental, slot, value);
      slot.marks[at] = this.#insert(slot, value);
      return undefined;
    }
    return this.#newValue(slot, field);
  }

  #newValue(slot: NameSlot, field: HeaderField): void {
    const { value } = field;
    if (!this.#mayIndex(field)) return this.#literal(isMarkedNeverIndexed(field) ? neverIndexed : 0, slot, value);
    const needsName = slot.staticIndex === 0 && !this.#isPresent(slot.mark);
    this.#literal(needsName ? incremental : 0, slot, value);
    const mark = needsName ? this.#insert(slot, value) : nowhere;
    slot.values[slot.next] = value;
    slot.marks[slot.next] = mark;
    slot.next = slot.next + 1 < rememberedValues ? slot.next + 1 : slot.staticValues;
  }

  #mayIndex(field: HeaderField): boolean {
    const size = field.name.length + field.value.length + entryOverhead;
    return field.value.length <= longestIndexed && size <= this.#maxTableBytes && !isMarkedNeverIndexed(field);
  }

  #remember(name: string): NameSlot {
    if (this.#slots.size >= rememberedNames) this.#slots.clear();
    const known = staticNames.get(name);
    const values = [...(known?.values ?? [])];
    const staticIndex = known?.index ?? 0;
    const slot: NameSlot = {
      name,
      staticIndex,
      isSecret: isSecretName(name),
      mark: nowhere,
      values,
      marks: values.map((_, at) => staticIndex + at),
      staticValues: values.length,
      next: values.length,
    };
    this.#slots.set(name, slot);
    return slot;
  }

  #isPresent(mark: number): boolean {
    return mark > staticEntries ? mark - staticEntries - 1 >= this.#oldest : mark !== nowhere;
  }

  #indexOf(mark: number): number {
    return mark > staticEntries ? this.#inserted - (mark - staticEntries - 1) + staticEntries : mark;
  }

  #insert(slot: NameSlot, value: string): number {
    const size = slot.name.length + value.length + entryOverhead;
    this.#evict(this.#maxTableBytes - size);
    this.#sizes[this.#inserted % ringLength] = size;
    this.#tableBytes += size;
    const mark = this.#inserted + staticEntries + 1;
    this.#inserted += 1;
    slot.mark = mark;
    return mark;
  }

  #evict(toBytes: number): void {
    while (this.#tableBytes > toBytes && this.#oldest < this.#inserted) {
      this.#tableBytes -= this.#sizes[this.#oldest % ringLength]!;
      this.#oldest += 1;
    }
  }

  #literal(pattern: number, slot: NameSlot, value: string): void {
    const mask = pattern === incremental ? 0x3f : 0xf;
    const index = slot.staticIndex === 0 && this.#isPresent(slot.mark) ? this.#indexOf(slot.mark) : slot.staticIndex;
    this.#integer(pattern, mask, index);
    if (index === 0) this.#string(slot.name);
    this.#string(value);
  }

  #integer(pattern: number, mask: number, value: number): void {
    const into = this.#into;
    if (value < mask) {
      into[this.#at] = pattern | value;
      this.#at += 1;
      return;
    }
    into[this.#at] = pattern | mask;
    this.#at += 1;
    let rest = value - mask;
    for (; rest >= 0x80; rest >>>= 7) {
      into[this.#at] = 0x80 | (rest & 0x7f);
      this.#at += 1;
    }
    into[this.#at] = rest;
    this.#at += 1;
  }

  #string(text: string): void {
    const { length } = text;
    this.#integer(0, 0x7f, length);
    if (length > 0) this.#into.write(text, this.#at, 'latin1');
    this.#at += length;
  }
}
