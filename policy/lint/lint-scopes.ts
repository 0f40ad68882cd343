import { documentName, rootNamespaceOf } from '#policy/compile.ts';
import type { PolicyDocument, ScopeTemplate, TemplateSegment } from '#policy/model.ts';
import { patternText } from '#policy/policy-yaml.ts';
import { covers, overlaps, segmentsOf } from './path-language.ts';
import { scopeNames } from './scope-names.ts';

/** What is wrong with a scope template, and what to do. */
export interface LintFinding {
  /** `name`: does not follow from verb and path. `opaque`: none can. The others: of two templates. */
  readonly kind: 'name' | 'opaque' | 'twice' | 'shadow' | 'overlap';
  /** `namespace/name spec.scopes[3]`. */
  readonly template: string;
  readonly problem: string;
}

interface Placed {
  readonly name: string;
  readonly namespace: string;
  readonly template: ScopeTemplate;
  readonly segments: readonly TemplateSegment[];
}

/** Of the `ScopeTemplates` among documents: which of them do not say what they stand for, in order (S86). */
export function lintScopes(documents: readonly PolicyDocument[]): readonly LintFinding[] {
  const placed = documents
    .filter((document) => document.kind === 'ScopeTemplates')
    .flatMap((document) =>
      document.scopes.map((template, index): Placed => {
        const name = `${documentName(document)} spec.scopes[${index}]`;
        return { name, namespace: document.namespace, template, segments: segmentsOf(template.path) };
      }),
    );
  const root = rootNamespaceOf(documents);
  const meet = (a: Placed, b: Placed): boolean =>
    a.template.method === b.template.method &&
    (a.namespace === b.namespace || a.namespace === root || b.namespace === root) &&
    mayOverlap(a.segments, b.segments);
  return placed.flatMap((each, index) => [
    ...namingFindings(each),
    ...placed
      .slice(0, index)
      .filter((earlier) => meet(earlier, each))
      .flatMap((earlier) => pairFindings(earlier, each)),
  ]);
}

function namingFindings({ name, template, segments }: Placed): readonly LintFinding[] {
  if (isGrpc(template, segments)) return []; // its path is the operation, and its method always POST
  const names = scopeNames(template.method, segments);
  const request = requestText(template);
  if (!names.describes) {
    return [{ kind: 'opaque', template: name, problem: `no scope follows from ${request}: ${names.why}` }];
  }
  if (names.names.includes(template.scope)) return [];
  const problem = `${template.scope} does not follow from ${request}: write ${names.names[0]}`;
  return [{ kind: 'name', template: name, problem }];
}

function pairFindings(earlier: Placed, later: Placed): readonly LintFinding[] {
  const [a, b] = [earlier.template, later.template];
  if (!overlaps(earlier.segments, later.segments)) return [];
  const [isIn, isAround] = [covers(earlier.segments, later.segments), covers(later.segments, earlier.segments)];
  const of = (kind: LintFinding['kind'], problem: string) => [{ kind, template: later.name, problem }];
  const [one, other] = [`${requestText(b)} (${b.scope})`, `${earlier.name}, ${requestText(a)} (${a.scope})`];
  if (isIn && isAround) return of('twice', `${one} is ${other} over again: leave one out`);
  if (a.scope === b.scope) {
    if (isIn) return of('shadow', `${one} says nothing that ${other} does not: leave it out`);
    return isAround ? of('shadow', `${one} says all of ${other}: leave that out`) : [];
  }
  if (isIn) return of('shadow', `whoever has ${a.scope} has all of ${b.scope} too: ${one} lies in ${other}`);
  if (isAround) return of('shadow', `whoever has ${b.scope} has all of ${a.scope} too: ${one} is around ${other}`);
  return of('overlap', `some paths are ${b.scope} and ${a.scope}: ${one} overlaps ${other}`);
}

/** Most pairs differ in their first words. */
function mayOverlap([a]: readonly TemplateSegment[], [b]: readonly TemplateSegment[]): boolean {
  return a?.kind !== 'literal' || b?.kind !== 'literal' || a.text === b.text;
}

/** `POST /shop.Prices/Get`. */
function isGrpc({ method }: ScopeTemplate, [service, name, ...more]: readonly TemplateSegment[]): boolean {
  if (method !== 'POST' || more.length > 0 || service?.kind !== 'literal' || name?.kind !== 'literal') return false;
  return /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$/.test(service.text) && /^[A-Za-z_]\w*$/.test(name.text);
}

function requestText({ method, path }: ScopeTemplate): string {
  return `${method} ${patternText(path)}`;
}
