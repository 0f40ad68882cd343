import { foldedName, headerField, type HeaderField } from '#agent/http/header-field.ts';
import { decisionName } from '#agent/http/problem.ts';
import { isReservedName } from '#agent/http/reserved.ts';

/** A caller from outside, as the app is told of it. */
export interface OutsideCaller {
  /** Of the other end of its connection. */
  readonly address: string;
  readonly scheme: 'http' | 'https';
}

/** By which somebody in front of an app tells it who called, for what; or `Proxy`, which CGI takes for a setting. */
const tellingNames = new Set([
  'forwarded',
  'proxy',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'x-original-url',
  'x-original-host',
  'x-rewrite-url',
  'x-envoy-external-address',
]);

/**
 * What a caller from outside sent, without whatever came under names by which the mesh or a proxy speaks, in any
 * spelling (A48); and who called, for which host, by which scheme: set, never appended to.
 */
export function tellForwarded(headers: readonly HeaderField[], host: string, caller: OutsideCaller): HeaderField[] {
  const out: HeaderField[] = [];
  for (const field of headers) if (!isTelling(field.name)) out.push(field);
  out.push(headerField('x-forwarded-for', caller.address), headerField('x-forwarded-proto', caller.scheme));
  if (host !== '') out.push(headerField('x-forwarded-host', host));
  return out;
}

/** What may pass of answers and of trailers: also the decision that another agent names. */
export function filterOutside(fields: readonly HeaderField[]): readonly HeaderField[] {
  for (const { name } of fields) if (isHidden(name)) return fields.filter((field) => !isHidden(field.name));
  return fields;
}

function isHidden(name: string): boolean {
  return name !== decisionName && isTelling(name);
}

function isTelling(name: string): boolean {
  if (isReservedName(name)) return true;
  const folded = foldedName(name);
  return folded.startsWith('x-forwarded') || tellingNames.has(folded);
}
