import { httpFieldOf } from './compiled-rule.ts';
import type { Operation, Rule, WorkloadFacts } from './model.ts';
import { asksForToken } from './token-fields.ts';

/**
 * Where a rule asks for what no port that it is about can tell: HTTP of a port that speaks TCP. `path` begins with `spec`.
 * Of ports that are not declared nothing is known, so nothing is said. `nameOf`: how a problem calls one.
 */
export function unjudgedOn(
  rule: Rule,
  declared: WorkloadFacts['ports'],
  nameOf: (port: number) => string = (port) => `port ${port}`,
): readonly { readonly path: string; readonly problem: string }[] {
  const opaque = [...(declared ?? [])].flatMap(([port, protocol]) => (protocol === 'tcp' ? [port] : []));
  if (opaque.length === 0) return [];
  const condition = rule.when.findIndex(({ key }) => key.of.startsWith('request.'));
  const http = httpFieldOfCaller(rule) ?? (condition < 0 ? undefined : `when[${condition}].key`);
  const operations: readonly Operation[] = rule.to.length === 0 ? [{}] : rule.to;
  return operations.flatMap((operation, index) => {
    const port = opaque.find((each) => reaches(operation, rule, each));
    const field = httpFieldOf(operation);
    const path = field === undefined ? http : `to[${index}].operation.${field}`;
    if (port === undefined || path === undefined) return [];
    return [{ path: `spec.${rule.path}.${path}`, problem: problemOn(port, nameOf(port)) }];
  });
}

/** Where every source asks for a token: it comes with HTTP. */
function httpFieldOfCaller({ from }: Rule): string | undefined {
  const fields = from.map(asksForToken);
  return from.length === 0 || fields.includes(undefined) ? undefined : `from[0].source.${fields[0]}`;
}

function problemOn(port: number, name: string): string {
  return `cannot be judged on ${name}, which speaks TCP: add ports with those that speak HTTP, or notPorts: ["${port}"]`;
}

function reaches({ ports, notPorts }: Operation, { when }: Rule, port: number): boolean {
  if (ports?.includes(port) === false || notPorts?.includes(port) === true) return false;
  return when.every(({ key, values, notValues }) => {
    if (key.of !== 'destination.port') return true;
    const has = (list: typeof values): boolean | undefined =>
      list?.some((pattern) => pattern.kind === 'exact' && pattern.text === String(port));
    return has(values) !== false && has(notValues) !== true;
  });
}
