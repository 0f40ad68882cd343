import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import * as tables from '#proto/tables.ts';
import { decode, encode, type Field, type MessageTable } from '#proto/wire.ts';

const source = readFileSync(new URL('../../proto/mesh.proto', import.meta.url), 'utf8');
const root = protobuf.parse(source, { keepCase: false }).root.resolveAll();
const inProto = root.lookup('eastwest.mesh.v1') as protobuf.Namespace;
const messages = inProto.nestedArray.filter((item) => item instanceof protobuf.Type);
const byName: Readonly<Record<string, MessageTable>> = tables;
const tableOf = (name: string): MessageTable | undefined => byName[name.charAt(0).toLowerCase() + name.slice(1)];

/** A message of this type with every field set; of a oneof the last member. */
function sample(table: MessageTable): Record<string, unknown> {
  const value = ({ type }: Field): unknown => {
    if (typeof type === 'object') return sample(type);
    if (type === 'string') return 'spiffe://shop.example/ü';
    return type === 'bytes' ? Buffer.from([0, 255, 7]) : type === 'uint32' ? 65_535 : 2 ** 52 + 1;
  };
  const entries = Object.entries(table);
  const lastChoice = entries.findLast(([, field]) => field.cardinality === 'choice')?.[0];
  return Object.fromEntries(
    entries
      .filter(([name, field]) => field.cardinality !== 'choice' || name === lastChoice)
      .map(([name, field]) => [name, field.cardinality === 'many' ? [value(field), value(field)] : value(field)]),
  );
}

describe('the tables say what mesh.proto says', () => {
  test('each message has a table and the other way round', () => {
    expect(messages.length).toBeGreaterThan(15);
    expect(messages.map(({ name }) => tableOf(name))).not.toContain(undefined);
    expect(Object.keys(tables)).toHaveLength(messages.length);
  });

  test.each(messages.map((message) => [message.name, message] as const))('%s has the same fields', (name, message) => {
    const ours = Object.entries(tableOf(name) ?? {}).map(([field, { number, type, cardinality }]) => ({
      field,
      number,
      type: typeof type === 'object' ? Object.keys(byName).find((key) => byName[key] === type) : type,
      repeated: cardinality === 'many',
    }));
    const theirs = message.fieldsArray.map((field) => ({
      field: field.name,
      number: field.id,
      type: field.type.charAt(0).toLowerCase() + field.type.slice(1),
      repeated: field.repeated,
    }));
    expect(ours).toEqual(theirs);
  });

  test.each(messages.map((message) => [message.name, message] as const))('%s passes both ways', (name, message) => {
    const table = tableOf(name) as MessageTable;
    const value = sample(table);
    const ours = encode(table, value as never);
    expect(ours).toEqual(Buffer.from(message.encode(message.fromObject(value)).finish()));
    expect(message.toObject(message.decode(ours), { longs: Number, bytes: Buffer })).toEqual(value);
    expect(decode(table, ours)).toMatchObject({ ok: true, value });
  });
});

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('reading', () => {
  test('what an older program wrote still parses', () => {
    const vector = hex('0a 03 01 02 03 12 05 746f6b656e'); // csr, join_token
    expect(decode(tables.issueCertificateRequest, vector)).toEqual({
      ok: true,
      value: { csr: Buffer.from([1, 2, 3]), joinToken: 'token', currentSvid: undefined },
    });
  });

  test.each([
    ['an unknown varint field', '7801'],
    ['an unknown bytes field', '7a03aabbcc'],
    ['an unknown 64-bit field', '790102030405060708'],
    ['a known field of another wire type', '1001'],
  ])('%s is skipped', (_name, extra) => {
    const decoded = decode(tables.endpoint, Buffer.concat([hex('0a0131'), hex(extra.replace('1001', '0d01020304'))]));
    expect(decoded).toEqual({ ok: true, value: { host: '1', port: 0 } });
  });

  test.each([
    ['a cut field', '0a05 31'],
    ['a length beyond the message', '0aff ffff ff0f 31'],
    ['text that is not UTF-8', '0a02 c328'],
    ['a group', '0b0c'],
    ['an end of group', '0c'],
    ['an impossible wire type', '0f'],
    ['a varint that never ends', 'ffffffffffffffffffffffff'],
    ['65,000 nested groups', '0b'.repeat(65_000)],
  ])('%s is malformed', (_name, bytes) => {
    expect(decode(tables.endpoint, hex(bytes))).toEqual({ ok: false, reason: 'malformed' });
  });

  test('a nested message that reaches past its parent is malformed', () => {
    expect(decode(tables.subscribe, hex('1205 0a01'))).toEqual({ ok: false, reason: 'malformed' });
  });

  test('an integer beyond 2^53 is malformed, never rounded', () => {
    expect(decode(tables.acknowledge, hex('08 ffffffffffffffffff01')).ok).toBe(false);
  });

  test('of a oneof the last member wins', () => {
    const both = Buffer.concat([encode(tables.issueCertificateRequest, { joinToken: 'a' }), hex('1a00')]);
    expect(decode(tables.issueCertificateRequest, both)).toMatchObject({
      value: { joinToken: undefined, currentSvid: {} },
    });
  });
});
