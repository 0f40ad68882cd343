import type { HeaderField } from '#agent/http/header-field.ts';
import { kindOfField, kindOfName } from './field-kind.ts';

/** A field as a table holds it. */
export interface TableEntry {
  readonly field: HeaderField;
  /** Bits of `fieldKind`. */
  readonly kind: number;
  /** Bits of the name alone, for a field that borrows it. */
  readonly nameKind: number;
  /** As RFC 7541, section 4.1 counts. */
  readonly size: number;
}

/** What an entry costs beyond its name and value (RFC 7541, section 4.1), and a field in a list (RFC 9113, section 6.5.2). */
export const entryOverhead = 32;

/** Names with the values the static table has for each; none: an empty one (RFC 7541, appendix A). */
const rows: readonly (readonly [name: string, ...values: string[]])[] = [
  [':authority'],
  [':method', 'GET', 'POST'],
  [':path', '/', '/index.html'],
  [':scheme', 'http', 'https'],
  [':status', '200', '204', '206', '304', '400', '404', '500'],
  ['accept-charset'],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language'],
  ['accept-ranges'],
  ['accept'],
  ['access-control-allow-origin'],
  ['age'],
  ['allow'],
  ['authorization'],
  ['cache-control'],
  ['content-disposition'],
  ['content-encoding'],
  ['content-language'],
  ['content-length'],
  ['content-location'],
  ['content-range'],
  ['content-type'],
  ['cookie'],
  ['date'],
  ['etag'],
  ['expect'],
  ['expires'],
  ['from'],
  ['host'],
  ['if-match'],
  ['if-modified-since'],
  ['if-none-match'],
  ['if-range'],
  ['if-unmodified-since'],
  ['last-modified'],
  ['link'],
  ['location'],
  ['max-forwards'],
  ['proxy-authenticate'],
  ['proxy-authorization'],
  ['range'],
  ['referer'],
  ['refresh'],
  ['retry-after'],
  ['server'],
  ['set-cookie'],
  ['strict-transport-security'],
  ['transfer-encoding'],
  ['user-agent'],
  ['vary'],
  ['via'],
  ['www-authenticate'],
];

export function tableEntry(field: HeaderField, nameKind: number, valueProblem: number): TableEntry {
  const kind = kindOfField(nameKind, field.name, field.value) | valueProblem;
  return { field, kind, nameKind, size: field.name.length + field.value.length + entryOverhead };
}

/** Entry 1 stands first. */
export const staticTable: readonly TableEntry[] = rows.flatMap(([name, ...values]) => {
  const nameKind = kindOfName(name, Buffer.from(name), 0);
  const all = values.length === 0 ? [''] : values;
  return all.map((value) => tableEntry({ name, rawName: name, value }, nameKind, 0));
});
