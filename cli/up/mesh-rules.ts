import { proxyProtocolNeedsTcp } from '#agent/config-rules.ts';
import { closest } from '#runtime/closest.ts';
import type { MeshDocument } from './mesh-schema.ts';

/** Where in the document, and what is wrong there. */
export type Problem = readonly [path: string, message: string];

type Workload = MeshDocument['workloads'][number];
type Call = Workload['calls'][number];

/** What one part of a mesh file demands of another. */
export function meshProblems(mesh: MeshDocument): readonly Problem[] {
  return [
    ...nameProblems(mesh),
    ...mesh.workloads.flatMap((each, i) => callProblems(mesh, each, i)),
    ...modeProblems(mesh),
    ...portProblems(mesh),
    ...proxyProtocolProblems(mesh),
  ];
}

function nameProblems({ workloads }: MeshDocument): Problem[] {
  const names = workloads.map(({ name }) => name);
  return names.flatMap((name, i): Problem[] =>
    names.indexOf(name) === i ? [] : [[`workloads[${i}].name`, `there are two workloads named ${name}`]],
  );
}

function callProblems(mesh: MeshDocument, workload: Workload, i: number): Problem[] {
  const seen = new Set<string>();
  return workload.calls.flatMap((call, j): Problem[] => {
    const at = `workloads[${i}].calls[${j}]`;
    const key = `${call.to}:${call.port}`;
    const twice: Problem[] = seen.has(key) ? [[at, `${call.to} is there twice`]] : [];
    seen.add(key);
    return [...twice, ...targetProblems(mesh, { workload, call, at })];
  });
}

function targetProblems(
  mesh: MeshDocument,
  { workload, call, at }: { workload: Workload; call: Call; at: string },
): Problem[] {
  if (call.to === workload.name) return [[`${at}.to`, 'a workload does not call itself through the mesh']];
  const target = mesh.workloads.find(({ name }) => name === call.to);
  if (target === undefined) {
    const names = mesh.workloads.map(({ name }) => name).filter((name) => name !== workload.name);
    const near = closest(call.to, names);
    const hint = near === undefined ? `there are ${names.join(', ') || 'no others'}` : `did you mean ${near}?`;
    return [[`${at}.to`, `there is no workload ${call.to}; ${hint}`]];
  }
  const ports = target.listens.map(({ port }) => port);
  if (ports.length === 0) return [[`${at}.to`, `${call.to} listens nowhere; give it \`listens\``]];
  if (call.port === undefined && ports.length > 1) return [[`${at}.port`, `write which port: ${ports.join(' or ')}`]];
  if (call.port !== undefined && !ports.includes(call.port)) {
    return [[`${at}.port`, `${call.to} does not listen on ${call.port}, only on ${ports.join(', ')}`]];
  }
  const protocol = target.listens.find(({ port }) => call.port === undefined || port === call.port)?.protocol;
  if (call.listen === undefined && workload.capture !== 'http-proxy') {
    return [[`${at}.listen`, 'write the port where the app reaches it, e.g. 7101, or `capture: http-proxy` above']];
  }
  if (call.listen === undefined && protocol === 'tcp') {
    return [[`${at}.listen`, 'write the port where the app reaches it: TCP does not go through HTTP_PROXY']];
  }
  return [];
}

function modeProblems({ workloads }: MeshDocument): Problem[] {
  return workloads.flatMap(({ listens }, i) =>
    listens.flatMap(({ mode, listen }, j): Problem[] => {
      if (mode === 'strict' || listen !== undefined) return [];
      return [[`workloads[${i}].listens[${j}].listen`, 'write the port where plaintext callers reach it, e.g. 7202']];
    }),
  );
}

function proxyProtocolProblems({ workloads }: MeshDocument): Problem[] {
  return workloads.flatMap(({ listens }, i) =>
    listens.flatMap(({ protocol, proxyProtocol }, j): Problem[] =>
      proxyProtocol === undefined || protocol === 'tcp'
        ? []
        : [[`workloads[${i}].listens[${j}].proxyProtocol`, proxyProtocolNeedsTcp]],
    ),
  );
}

/** Everything runs on one machine: each port is one process's. */
function portProblems({ workloads }: MeshDocument): Problem[] {
  const taken = new Map<number, string>();
  const claims = workloads.flatMap((workload, i) => [
    ...workload.listens.map(({ port }, j) => [port, `workloads[${i}].listens[${j}].port`, workload.name] as const),
    ...workload.listens.map(
      ({ listen }, j) => [listen, `workloads[${i}].listens[${j}].listen`, workload.name] as const,
    ),
    ...workload.calls.map(({ listen }, j) => [listen, `workloads[${i}].calls[${j}].listen`, workload.name] as const),
  ]);
  return claims.flatMap(([port, at, name]): Problem[] => {
    if (port === undefined) return [];
    const other = taken.get(port);
    taken.set(port, other ?? `${at} (${name})`);
    return other === undefined ? [] : [[at, `port ${port} is already ${other}`]];
  });
}
