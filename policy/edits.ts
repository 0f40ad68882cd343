import { pathReader } from './path-patterns.ts';
import { parseHost, parseMethod, parsePattern, parsePrincipal, type ReadPattern } from './patterns.ts';
import type { AuthorizationPolicy, Condition, Operation, Pattern, PolicyDocument, Rule, Source } from './model.ts';

/**
 * One change of a document. `path` is the list that changes, as in the document: of values
 * (`spec.rules[0].from[0].source.principals`) or of whole alternatives (`spec.rules[0].from`).
 */
export type PolicyEdit = {
  /** `namespace/name` of an AuthorizationPolicy. */
  readonly policy: string;
} & (
  | ({ readonly kind: 'add-value'; readonly value: string | number } & Addition)
  | ({ readonly kind: 'add-source'; readonly value: Source } & Addition)
  | ({ readonly kind: 'add-operation'; readonly value: Operation } & Addition)
  | { readonly kind: 'remove-value'; readonly path: string; readonly value: string | number }
  | { readonly kind: 'add-policy'; readonly value: AuthorizationPolicy }
);

interface Addition {
  readonly path: string;
  /** There is no such list yet. */
  readonly isNewList: boolean;
}

/** The documents as they are after the edits, in their order. Throws at an edit of what is not there. */
export function applyEdits(
  documents: readonly PolicyDocument[],
  edits: readonly PolicyEdit[],
): readonly PolicyDocument[] {
  return edits.reduce(applyEdit, documents);
}

export function exactly(text: string): Pattern {
  return { kind: 'exact', text };
}

const readers: Readonly<Record<string, ReadPattern>> = {
  principals: parsePrincipal,
  hosts: parseHost,
  methods: parseMethod,
  paths: pathReader('security.istio.io/v1'),
  values: parsePattern,
};

/**
 * What one writes into the list at `path` for this text and nothing else; undefined where a document would read it as a
 * pattern, or not at all.
 */
export function exactValue(path: string, text: string): string | number | undefined {
  const field = path.slice(path.lastIndexOf('.') + 1);
  if (field === 'ports') return Number(text);
  const read = readers[field]?.(text);
  if (read?.ok !== true || read.value.kind !== 'exact') return undefined;
  return read.value.text === text || field === 'hosts' ? read.value.text : undefined;
}

export function isPolicyNamed(name: string) {
  return (document: PolicyDocument): document is AuthorizationPolicy =>
    document.kind === 'AuthorizationPolicy' && `${document.namespace}/${document.name}` === name;
}

function applyEdit(documents: readonly PolicyDocument[], edit: PolicyEdit): readonly PolicyDocument[] {
  if (edit.kind === 'add-policy') return [...documents, edit.value];
  const named = documents.find(isPolicyNamed(edit.policy));
  if (named === undefined) throw new Error(`there is no AuthorizationPolicy ${edit.policy}`);
  const { rule, place } = placeIn(named, edit.path);
  const edited = editedRule(rule, place, edit);
  const rules = named.rules.map((each) => (each === rule ? edited : each));
  return documents.map((each) => (each === named ? { ...named, rules } : each));
}

interface Place {
  readonly part: 'from' | 'to' | 'when';
  /** Which alternative or condition; undefined: the list of them. */
  readonly index: number | undefined;
  /** E.g. `principals`; undefined: the list of alternatives. */
  readonly field: string | undefined;
}

const pathForm = /^spec\.(rules\[\d+\])\.(from|to|when)(?:\[(\d+)\](?:\.source|\.operation)?\.([a-zA-Z]+))?$/;

function placeIn(document: AuthorizationPolicy, path: string): { readonly rule: Rule; readonly place: Place } {
  const [, rulePath, part, index, field] = pathForm.exec(path) ?? [];
  const rule = document.rules.find((each) => each.path === rulePath);
  if (rule === undefined) throw new Error(`${document.namespace}/${document.name} has no ${path}`);
  const place = { part: part as Place['part'], index: index === undefined ? undefined : Number(index), field };
  return { rule, place };
}

function editedRule(rule: Rule, place: Place, edit: Exclude<PolicyEdit, { kind: 'add-policy' }>): Rule {
  switch (edit.kind) {
    case 'add-source':
      return { ...rule, from: [...rule.from, edit.value] };
    case 'add-operation':
      return { ...rule, to: [...rule.to, edit.value] };
    case 'add-value': {
      const added = typeof edit.value === 'number' ? edit.value : exactly(edit.value);
      return withList(rule, place, [...listAt(rule, place), added]);
    }
    case 'remove-value': {
      const left = listAt(rule, place).filter((item) => !isExactly(item, edit.value));
      return withList(rule, place, left);
    }
  }
}

type Lists = Readonly<Record<string, readonly (Pattern | number)[] | undefined>>;

function listAt(rule: Rule, { part, index, field }: Place): readonly (Pattern | number)[] {
  const item: Source | Operation | Condition | undefined = rule[part][index ?? -1];
  return (item as Lists | undefined)?.[field ?? ''] ?? [];
}

function withList(rule: Rule, { part, index, field = '' }: Place, values: readonly (Pattern | number)[]): Rule {
  const changed = (item: Source | Operation | Condition, at: number) =>
    at === index ? { ...item, [field]: values } : item;
  return { ...rule, [part]: rule[part].map(changed) };
}

/** Removes by what is written: a pattern that only covers the value stays. */
function isExactly(item: Pattern | number, value: string | number): boolean {
  return typeof item === 'number' ? item === value : item.kind === 'exact' && item.text === value;
}
