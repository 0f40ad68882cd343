import { isSpellingOf } from '#agent/http/header-field.ts';
import { overridesIn } from '#agent/http/method-override.ts';
import { explain, type Explanation } from '#policy/explain.ts';
import type { Call, HttpCall, PolicyDocument, WorkloadFacts } from '#policy/model.ts';
import { normalizePath } from '#policy/path.ts';
import { documentName } from '#policy/compile.ts';
import { UsageError } from './edge.ts';
import type { FiledPolicy } from './policy-files.ts';
import { problemLines } from './problem-lines.ts';
import { principalOf } from './workload-names.ts';

/** A call in the words of a person. */
export interface AskedCall {
  /** Undefined: a plaintext caller, who proves nothing. */
  readonly from: string | undefined;
  readonly workload: WorkloadFacts;
  readonly port: string | undefined;
  /** Without it, and so without a path: an opaque call. */
  readonly method: string | undefined;
  readonly path: string | undefined;
  /** Default: the workload's name, by which its callers know it. */
  readonly host: string | undefined;
  /** `name: value` each. */
  readonly headers: readonly string[];
}

export interface Surroundings {
  readonly documents: readonly PolicyDocument[];
  readonly trustDomain: string | undefined;
}

/** Throws `UsageError` for what no agent would be asked. */
export function callOf(asked: AskedCall, { documents, trustDomain }: Surroundings): Call {
  const http = httpOf(asked);
  return {
    principal: asked.from === undefined ? undefined : principalOf(asked.from, trustDomain, documents),
    port: portOf(asked.port, http, documents),
    http,
  };
}

/** Throws `UsageError` for policies that an agent of this workload could not judge, or that contradict each other there. */
export function explainedOrThrow(policies: readonly FiledPolicy[], workload: WorkloadFacts, call: Call): Explanation {
  const documents = policies.map(({ document }) => document);
  const explanation = explain(documents, workload, call);
  if (explanation.ok) return explanation.value;
  const problems = explanation.reason.flatMap(({ kind, policy, path, problem }) =>
    policies
      .filter(({ document }) => document.kind === kind && documentName(document) === policy)
      .map(({ file, placeOf }) => ({ file, ...placeOf(path), path, problem: `${policy}: ${problem}` })),
  );
  throw new UsageError(`no agent would load the policies:\n${problemLines(problems).join('\n')}`, 'correct them');
}

function httpOf({ method, path, host, headers, workload }: AskedCall): HttpCall | undefined {
  if (method === undefined) {
    if (host === undefined && headers.length === 0) return undefined;
    throw new UsageError('an opaque call has no host and no headers', 'write method and path too: GET /prices/1');
  }
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) throw new UsageError(`${method} is no method`, 'write e.g. GET');
  const fields = headers.map(fieldOf);
  return {
    method,
    path: pathOf(path ?? ''),
    host: host ?? workload.name,
    alsoMethods: method === 'POST' ? overridesIn(fields.map(([name, value]) => ({ name, value }))) : undefined,
    header: (name) => fields.flatMap(([each, value]) => (isSpellingOf(each, name) ? value : [])),
  };
}

/** As an agent reads it: without its query, normalised. */
function pathOf(target: string): string {
  const [path = ''] = target.split('?', 1);
  const read = normalizePath(path);
  if (read.ok) return read.value;
  throw new UsageError(
    `${JSON.stringify(target)} is no path that an agent lets pass (${read.reason})`,
    'write the path as it is called, e.g. /prices/1',
  );
}

function fieldOf(text: string): readonly [name: string, value: string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new UsageError(`${JSON.stringify(text)} is no header`, "write --header 'x-env: test'");
  }
  return [name.toLowerCase(), value];
}

/** What is not said must not matter: 80 where no policy names a port. */
function portOf(port: string | undefined, http: HttpCall | undefined, documents: readonly PolicyDocument[]): number {
  if (port !== undefined) {
    if (/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535) return Number(port);
    throw new UsageError(`${port} is no port`, 'write one of 1 to 65535');
  }
  const named = portsIn(documents);
  if (named.length === 0 && http !== undefined) return 80;
  throw new UsageError(
    named.length === 0 ? 'an opaque call needs a port' : `the policies name ports (${named.join(', ')})`,
    'say which is called: --port N',
  );
}

function portsIn(documents: readonly PolicyDocument[]): readonly number[] {
  const ports = documents.flatMap((document) => {
    if (document.kind !== 'AuthorizationPolicy') return [];
    return document.rules.flatMap(({ to, when }) => [
      ...to.flatMap(({ ports: listed = [], notPorts = [] }) => [...listed, ...notPorts]),
      ...when
        .filter(({ key }) => key.of === 'destination.port')
        .flatMap(({ values = [], notValues = [] }) =>
          [...values, ...notValues].flatMap((each) => (each.kind === 'exact' ? Number(each.text) : [])),
        ),
    ]);
  });
  return [...new Set(ports)].toSorted((a, b) => a - b);
}
