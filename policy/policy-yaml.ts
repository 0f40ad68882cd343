import type { AuthorizationPolicy, Condition, Operation, Pattern, Rule, Source } from './model.ts';

/** What YAML can hold of a policy. */
export type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain | undefined };

/** A policy in the shape of its document. */
export function policyDocument(policy: AuthorizationPolicy): Plain {
  const selector = Object.keys(policy.selector).length === 0 ? undefined : { matchLabels: policy.selector };
  return {
    apiVersion: policy.dialect,
    kind: policy.kind,
    metadata: { name: policy.name, namespace: policy.namespace },
    spec: { selector, action: policy.action, rules: policy.rules.map(ruleValue) },
  };
}

export function sourceValue(source: Source): Plain {
  return { source: listsOf(source) };
}

export function operationValue(operation: Operation): Plain {
  return { operation: listsOf(operation) };
}

function ruleValue({ isDryRun, from, to, when }: Rule): Plain {
  return {
    dryRun: isDryRun ? true : undefined,
    from: from.length === 0 ? undefined : from.map(sourceValue),
    to: to.length === 0 ? undefined : to.map(operationValue),
    when: when.length === 0 ? undefined : when.map(conditionValue),
  };
}

function conditionValue({ key, values, notValues }: Condition): Plain {
  return { key: keyText(key), values: values?.map(patternText), notValues: notValues?.map(patternText) };
}

/** `request.headers[x-env]`. */
export function keyText(key: Condition['key']): string {
  if (key.of === 'request.auth.claims') return `${key.of}${key.path.map((name) => `[${name}]`).join('')}`;
  return key.of === 'request.headers' ? `${key.of}[${key.name}]` : key.of;
}

function listsOf(lists: Source | Operation): Plain {
  const values = Object.entries(lists as Record<string, readonly (Pattern | number | string)[] | undefined>);
  return Object.fromEntries(values.map(([name, list]) => [name, list?.map(valueText)]));
}

function valueText(value: Pattern | number | string): string | number {
  return typeof value === 'object' ? patternText(value) : value;
}

/** As one writes it. The names of template variables are not kept. */
export function patternText(pattern: Pattern): string {
  switch (pattern.kind) {
    case 'exact':
      return pattern.text;
    case 'prefix':
      return `${pattern.text}*`;
    case 'suffix':
      return `*${pattern.text}`;
    case 'present':
      return '*';
    case 'template':
      return `/${pattern.segments.map(segmentText).join('/')}`;
    case 'below':
      return `/${[...pattern.segments, '*'].join('/')}`;
  }
}

function segmentText(segment: Extract<Pattern, { kind: 'template' }>['segments'][number]): string {
  if (segment.kind === 'literal') return segment.text;
  return segment.kind === 'one' ? '{*}' : '{**}';
}

/** YAML in block style, a line each, none wider than `columns` (as far as keys are not). */
export function yamlLines(value: Plain, columns: number): readonly string[] {
  if (typeof value !== 'object') return scalarLines(value, columns);
  if (isList(value)) {
    if (value.length === 0) return ['[]'];
    return value.flatMap((item) => indented(yamlLines(item, columns - 2), '- '));
  }
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return entries.length === 0 ? ['{}'] : entries.flatMap(([key, each]) => entryLines(key, each ?? '', columns));
}

function entryLines(key: string, value: Plain, columns: number): readonly string[] {
  const name = scalarLines(key, Infinity)[0] ?? '';
  const isBelow = typeof value === 'object' && Object.keys(value).length > 0;
  if (isBelow) return [`${name}:`, ...yamlLines(value, columns - 2).map((line) => `  ${line}`)];
  const [first = '', ...rest] = yamlLines(value, columns - name.length - 2);
  return [`${name}: ${first}`, ...rest.map((line) => `  ${line}`)];
}

function indented(lines: readonly string[], first: string): readonly string[] {
  return lines.map((line, index) => (index === 0 ? first : ' '.repeat(first.length)) + line);
}

const plainForm = /^[a-zA-Z/][\w./-]*$/;
const otherWords = /^(true|false|null|yes|no|on|off|y|n)$/i;

/** A text that does not fit is quoted and goes on in the next line, which YAML reads as one text. */
function scalarLines(value: string | number | boolean, columns: number): readonly string[] {
  if (typeof value !== 'string') return [String(value)];
  if (plainForm.test(value) && !otherWords.test(value) && value.length <= columns) return [value];
  const units = JSON.stringify(value).match(/\\u[0-9a-f]{4}|\\.|[\uD800-\uDBFF][\uDC00-\uDFFF]|[^]/g) ?? [];
  const lines: string[] = [];
  let line = '';
  for (const unit of units) {
    if (line.length + unit.length >= columns && line !== '' && unit !== '"') {
      lines.push(`${line}\\`);
      line = unit === ' ' ? '\\ ' : unit; // a space at the beginning of a line would be lost
    } else {
      line += unit;
    }
  }
  return [...lines, line];
}

function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}
