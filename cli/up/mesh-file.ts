import { readDocument } from '#runtime/documents.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { closest } from '#runtime/closest.ts';
import { meshProblems, type Problem } from './mesh-rules.ts';
import { knownKeys, meshDocument, type MeshDocument } from './mesh-schema.ts';
import type { Mesh, MeshCall, MeshWorkload } from './mesh-types.ts';

const maxFileChars = 1024 * 1024;
/** Reads a mesh file. All problems at once, one per line, each with its place in the file. */
export function parseMeshFile(text: string): Result<Mesh, readonly string[]> {
  if (text.length > maxFileChars) return refuse([`the file is larger than ${maxFileChars} characters`]);
  const read = readDocument(text);
  if (!read.ok) {
    const { line, column, problem } = read.reason;
    return refuse([`line ${line}, column ${column}: ${problem}`]);
  }
  const parsed = meshDocument.safeParse(read.value ?? {});
  if (!parsed.success) return refuse(parsed.error.issues.map(issueProblem).map(show));
  const problems = meshProblems(parsed.data);
  return problems.length === 0 ? ok(meshOf(parsed.data)) : refuse(problems.map(show));
}

type Issue = NonNullable<ReturnType<typeof meshDocument.safeParse>['error']>['issues'][number];

function issueProblem(issue: Issue): Problem {
  const at = pathOf(issue.path);
  if (issue.code !== 'unrecognized_keys') return [at, issue.message];
  const known = knownKeys(issue.path);
  const unknown = issue.keys.map((key) => {
    const near = closest(key, known);
    return `there is no setting ${key}; ${near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`}`;
  });
  return [at, unknown.join('; ')];
}

/** Only for a document without problems: every reference is there. */
function meshOf(read: MeshDocument): Mesh {
  return Object.freeze({
    name: read.name,
    trustDomain: read.trustDomain ?? `${read.name}.example`,
    svidLifeMs: read.svidLife,
    workloads: read.workloads.map((each): MeshWorkload => ({
      ...each,
      otherwise: each.otherwise,
      listens: each.listens.map(({ listen, ...port }) => ({ ...port, listen })),
      calls: each.calls.map((call) => callOf(read, call)),
    })),
    traffic: read.traffic.map(({ url, perSecond, deadline }) => ({ url, perSecond, deadlineMs: deadline })),
    admit: read.admit,
    accessLog: read.accessLog,
  });
}

function callOf(read: MeshDocument, call: MeshDocument['workloads'][number]['calls'][number]): MeshCall {
  const listens = read.workloads.find(({ name: other }) => other === call.to)?.listens ?? [];
  const target = call.port === undefined ? listens[0] : listens.find((each) => each.port === call.port);
  return { to: call.to, port: target!.port, protocol: target!.protocol, listen: call.listen };
}

function pathOf(path: readonly PropertyKey[]): string {
  const parts = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`));
  return parts.join('').replace(/^\./, '');
}

function show([at, message]: Problem): string {
  return at === '' ? message : `${at}: ${message}`;
}
