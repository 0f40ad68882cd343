import { isUtf8 } from 'node:buffer';
import protobuf from 'protobufjs/minimal.js';
import { ok, refuse, type Result } from '#runtime/result.ts';

type Scalar = 'string' | 'bytes' | 'int64' | 'uint64' | 'uint32';
type FieldType = Scalar | MessageTable;
/** `one`: proto3's implicit default when absent. `choice`: member of the message's only oneof, or a nested message. */
type Cardinality = 'one' | 'many' | 'choice';

export interface Field<T extends FieldType = FieldType, C extends Cardinality = Cardinality> {
  readonly number: number;
  readonly type: T;
  readonly cardinality: C;
}

/** Field name (as in mesh.proto, in camelCase) → field. */
export interface MessageTable {
  readonly [name: string]: Field;
}

export const one = <T extends Scalar>(number: number, type: T): Field<T, 'one'> => ({
  number,
  type,
  cardinality: 'one',
});
export const many = <T extends FieldType>(number: number, type: T): Field<T, 'many'> => ({
  number,
  type,
  cardinality: 'many',
});
export const choice = <T extends FieldType>(number: number, type: T): Field<T, 'choice'> => ({
  number,
  type,
  cardinality: 'choice',
});

type ValueOf<T> = T extends 'string'
  ? string
  : T extends 'bytes'
    ? Buffer
    : T extends 'int64' | 'uint64' | 'uint32'
      ? number
      : T extends MessageTable
        ? Decoded<T>
        : never;

type FieldValue<F> =
  F extends Field<infer T, infer C>
    ? C extends 'many'
      ? readonly ValueOf<T>[]
      : C extends 'choice'
        ? ValueOf<T> | undefined
        : ValueOf<T>
    : never;

/** What a table decodes to: every field is there, absent ones with their default. */
export type Decoded<T extends MessageTable> = { readonly [N in keyof T]: FieldValue<T[N]> };

/** What a table encodes: everything may be left out. */
export type Encodable<T extends MessageTable> = {
  readonly [N in keyof T]?: T[N] extends Field<infer V, infer C>
    ? C extends 'many'
      ? readonly EncodableValue<V>[]
      : EncodableValue<V> | undefined
    : never;
};
type EncodableValue<T> = T extends 'bytes' ? Uint8Array : T extends MessageTable ? Encodable<T> : ValueOf<T>;

const wireTypeOf = (type: FieldType): number =>
  type === 'string' || type === 'bytes' || typeof type === 'object' ? 2 : 0;
const defaults: Readonly<Record<Scalar, string | number | Buffer>> = {
  string: '',
  bytes: Buffer.alloc(0),
  int64: 0,
  uint64: 0,
  uint32: 0,
};

interface Plan {
  readonly byNumber: ReadonlyMap<number, readonly [name: string, field: Field]>;
  readonly choices: readonly string[];
}
const plans = new WeakMap<MessageTable, Plan>();

function planOf(table: MessageTable): Plan {
  let plan = plans.get(table);
  if (plan === undefined) {
    const entries = Object.entries(table);
    plan = {
      byNumber: new Map(entries.map(([name, field]) => [field.number, [name, field]])),
      choices: entries.filter(([, field]) => field.cardinality === 'choice').map(([name]) => name),
    };
    plans.set(table, plan);
  }
  return plan;
}

/**
 * Decodes one protobuf message (proto3 wire format). Unknown fields, and known ones of another wire type, are skipped
 * so that older programs read newer messages; of a oneof the last member wins. Integers beyond 2^53, groups and text
 * that is not UTF-8 are malformed. Byte fields are views into `bytes`.
 */
export function decode<T extends MessageTable>(table: T, bytes: Uint8Array): Result<Decoded<T>, 'malformed'> {
  try {
    const reader = protobuf.Reader.create(bytes);
    return ok(decodeFrom(table, reader, reader.len) as Decoded<T>);
  } catch {
    return refuse('malformed'); // the reader throws on truncated, oversized or impossible fields
  }
}

function decodeFrom(table: MessageTable, reader: protobuf.Reader, end: number): Record<string, unknown> {
  const plan = planOf(table);
  const message: Record<string, unknown> = {};
  for (const name of Object.keys(table)) message[name] = emptyValue(table[name] as Field);
  while (reader.pos < end) {
    const tag = reader.uint32();
    const wireType = tag & 7;
    const [name, field] = plan.byNumber.get(tag >>> 3) ?? [];
    if (wireType === 3 || wireType === 4) throw new RangeError('groups are not proto3');
    if (name === undefined || field === undefined || wireTypeOf(field.type) !== wireType) {
      reader.skipType(wireType);
      continue;
    }
    const value = readValue(field.type, reader);
    if (field.cardinality === 'many') (message[name] as unknown[]).push(value);
    else {
      if (field.cardinality === 'choice') for (const other of plan.choices) message[other] = undefined;
      message[name] = value;
    }
  }
  if (reader.pos !== end) throw new RangeError('a field reaches past its message');
  return message;
}

function emptyValue(field: Field): unknown {
  if (field.cardinality === 'many') return [];
  return field.cardinality === 'choice' || typeof field.type === 'object' ? undefined : defaults[field.type];
}

function readValue(type: FieldType, reader: protobuf.Reader): unknown {
  switch (type) {
    case 'string': {
      const bytes = take(reader);
      if (!isUtf8(bytes)) throw new RangeError('text is UTF-8');
      return bytes.toString();
    }
    case 'bytes':
      return take(reader);
    case 'uint32':
      return reader.uint32();
    case 'int64':
      return exact(reader.int64());
    case 'uint64':
      return exact(reader.uint64());
    default: {
      const length = reader.uint32();
      if (reader.pos + length > reader.len) throw new RangeError('a nested message reaches past its parent');
      return decodeFrom(type, reader, reader.pos + length);
    }
  }
}

/** The library's own readers stop silently at the end of the buffer. */
function take(reader: protobuf.Reader): Buffer {
  const end = reader.uint32() + reader.pos;
  if (end > reader.len) throw new RangeError('a field reaches past the message');
  const view = Buffer.from(reader.buf.buffer, reader.buf.byteOffset + reader.pos, end - reader.pos);
  reader.pos = end;
  return view;
}

function exact(value: unknown): number {
  const number = Number(String(value)); // a 64-bit object or a number, depending on what protobufjs finds installed
  if (!Number.isSafeInteger(number)) throw new RangeError('integer beyond 2^53');
  return number;
}

/** Encodes one message; fields equal to their default are left out, as proto3 does. */
export function encode<T extends MessageTable>(table: T, message: Encodable<T>): Buffer {
  const writer = protobuf.Writer.create();
  encodeTo(table, message, writer);
  return writer.finish() as Buffer;
}

function encodeTo(table: MessageTable, message: Readonly<Record<string, unknown>>, writer: protobuf.Writer): void {
  for (const name of Object.keys(table)) {
    const field = table[name] as Field;
    const value = message[name];
    if (value === undefined) continue;
    if (field.cardinality === 'many') for (const item of value as unknown[]) writeValue(field, item, writer);
    else if (field.cardinality === 'choice' || !isDefault(value)) writeValue(field, value, writer);
  }
}

const isDefault = (value: unknown): boolean => value === '' || value === 0 || (value as Uint8Array).length === 0;

function writeValue(field: Field, value: unknown, writer: protobuf.Writer): void {
  writer.uint32((field.number << 3) | wireTypeOf(field.type));
  switch (field.type) {
    case 'string':
      writer.string(value as string);
      break;
    case 'bytes':
      writer.bytes(value as Uint8Array);
      break;
    case 'uint32':
      writer.uint32(value as number);
      break;
    case 'int64':
      writer.int64(value as number);
      break;
    case 'uint64':
      writer.uint64(value as number);
      break;
    default:
      writer.fork();
      encodeTo(field.type, value as Readonly<Record<string, unknown>>, writer);
      writer.ldelim();
  }
}
