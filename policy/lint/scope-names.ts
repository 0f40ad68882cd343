import { isIdentifier } from '#policy/learn/segment-form.ts';
import type { TemplateSegment } from '#policy/model.ts';

/** What a scope may be called, or why its path describes none (S86). The first name is the one to write. */
export type ScopeNames =
  | { readonly describes: true; readonly names: readonly string[] }
  | { readonly describes: false; readonly why: string };

/** Words for a method; the first is the one to write. */
const words: Readonly<Record<string, readonly string[]>> = {
  GET: ['read', 'get', 'list'],
  HEAD: ['read', 'get', 'list'],
  POST: ['create', 'add', 'write', 'post'],
  PUT: ['update', 'replace', 'write', 'put'],
  PATCH: ['update', 'write', 'patch'],
  DELETE: ['delete', 'remove'],
};

const version = /^v\d+(?:(?:alpha|beta)\d*)?$/;

/**
 * `groups.documents.delete` of `DELETE /api/v1/groups/{id}/documents/{id}/`: what stands in the path, without `api` and
 * versions before it, and a word for the method. `POST /orders/{id}/cancel` is `orders.cancel` as well.
 */
export function scopeNames(method: string, segments: readonly TemplateSegment[]): ScopeNames {
  const why = whyOpaque(segments);
  if (why !== undefined) return { describes: false, why };
  const literals = segments.flatMap((segment) =>
    segment.kind === 'literal' && segment.text !== '' ? [segment.text] : [],
  );
  const first = literals.findIndex((text) => text !== 'api' && !version.test(text));
  const resource = literals.slice(Math.max(0, first)).join('.');
  const verbs = words[method] ?? [method.toLowerCase()];
  const isAction =
    method === 'POST' && segments.findLast((each) => each.kind !== 'literal' || each.text !== '')?.kind === 'literal';
  return {
    describes: true,
    names: [...verbs.map((verb) => `${resource}.${verb}`), ...(isAction && literals.length > 1 ? [resource] : [])],
  };
}

function whyOpaque(segments: readonly TemplateSegment[]): string | undefined {
  if (segments.some(({ kind }) => kind === 'any')) return '{**} stands for any number of segments: name them';
  const bare = segments.findIndex(
    (segment, index) => segment.kind === 'one' && segments[index - 1]?.kind !== 'literal',
  );
  if (bare === 0) return 'it begins with a variable, of which nothing says what it is: put a word before it';
  if (bare > 0) return 'two variables stand side by side: put a word before the second that says what it is';
  const named = segments.find((segment) => segment.kind === 'literal' && isIdentifier(segment.text));
  if (named?.kind === 'literal') return `${named.text} looks like one object’s ID: write a variable in its place`;
  if (segments.every((segment) => segment.kind !== 'literal' || segment.text === '')) return 'no word stands in it';
  return undefined;
}
