import { z } from 'zod';

/** The part of JSON Schema that our settings use. */
interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly default?: unknown;
}

/** `['inbound.ports[].protocol', '"http"']`: every setting with `required`, its default as JSON, or nothing. */
export function settingsOf(document: z.ZodType): (readonly [path: string, value: string])[] {
  return walk(z.toJSONSchema(document, { io: 'input', unrepresentable: 'any' }) as SchemaNode, '');
}

function walk(node: SchemaNode, at: string): (readonly [string, string])[] {
  const alternatives = (node.anyOf ?? []).flatMap((each) => walk(each, at));
  const items = node.items === undefined ? [] : walk(node.items, `${at}[]`);
  const properties = Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const path = at === '' ? name : `${at}.${name}`;
    const isRequired = node.required?.includes(name) === true && !isAlternative(at, name);
    return [[path, isRequired ? 'required' : defaultOf(child)] as const, ...walk(child, path)];
  });
  return [...properties, ...items, ...alternatives];
}

/** Each of these is required where the other is not written. */
function isAlternative(at: string, name: string): boolean {
  return at.endsWith('joinToken') && (name === 'file' || name === 'stdin');
}

function defaultOf(node: SchemaNode): string {
  const value = node.default;
  if (value === undefined || (node.properties !== undefined && typeof value === 'object')) return '';
  if (typeof value === 'object' && value !== null && 'host' in value && 'port' in value) {
    return `${String(value.host)}:${String(value.port)}`;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The rows of the first table below a heading: cells without backticks. */
export function tableBelow(text: string, heading: string): string[][] {
  const below = text.split(`\n${heading}\n`)[1] ?? '';
  const table = /(?:^\|.*\n)+/m.exec(below)?.[0] ?? '';
  return table
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '').replaceAll('\\|', '|')),
    );
}

/** Event name → its fields, in the order in which the type of events in `source` lists them. */
export function eventFields(source: string, typeName: string): ReadonlyMap<string, readonly string[]> {
  const start = source.indexOf(`export type ${typeName} =`);
  const type = source.slice(start, source.indexOf('};', start) + 1);
  const fields = new Map<string, readonly string[]>();
  for (const [, block = ''] of type.matchAll(/\{([^}]*)\}/g)) {
    const [, names = ''] = /event: ((?:'[^']+'(?: \| )?)+)/.exec(block) ?? [];
    const own = [...block.matchAll(/(\w+)\??:/g)].map((match) => match[1] ?? '').filter((name) => name !== 'event');
    for (const [, name = ''] of names.matchAll(/'([^']+)'/g)) fields.set(name, own);
  }
  return fields;
}
