import type { AccessLine } from '#agent/access-log/access-line.ts';
import { parseSpiffeId, trustDomainOf } from '#certs/spiffe-id.ts';
import type { CalledWorkload, ObservedCall } from '#policy/learn/observations.ts';
import { normalizePath } from '#policy/path.ts';
import { instantMs } from '#policy/rfc3339.ts';

/** What a line of an access log says of policies. */
export type LineReading =
  | {
      readonly kind: 'admitted' | 'refused';
      readonly atMs: number;
      readonly call: ObservedCall;
      readonly reason: string;
    }
  /** A caller without a certificate. `to`: `namespace/workload:port`. */
  | { readonly kind: 'plaintext'; readonly atMs: number; readonly to: string }
  | { readonly kind: 'passed-over'; readonly atMs: number; readonly why: PassedOver }
  | { readonly kind: 'no-access-line'; readonly why: 'broken' | 'foreign' };

export type PassedOver =
  /** Told by the agent of who called, or by a gateway: the other end's line counts. */
  | 'other-direction'
  /** Of a workload whose SPIFFE ID is not said, or has no namespace that a policy can have. */
  | 'unnamed'
  /** It may have been allowed, but came to nothing. */
  | 'failed'
  /** It was allowed when it began, and ended by a decision. */
  | 'ended-by-decision'
  /** Its port, method or path cannot be told. */
  | 'unclear';

const workloadForm = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const namespaceForm = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

type Fields = Partial<Record<keyof AccessLine | 'time' | 'workload' | 'spiffeId', unknown>>;

/** Reads one line; anything may stand in it. */
export function readAccessLine(line: string): LineReading {
  const fields = fieldsOf(line);
  if (fields === 'broken') return { kind: 'no-access-line', why: fields };
  const { time, workload, spiffeId, direction, peer, outcome } = fields;
  const atMs = typeof time === 'string' ? instantMs(time) : undefined;
  if (
    atMs === undefined ||
    typeof workload !== 'string' ||
    typeof direction !== 'string' ||
    typeof outcome !== 'string'
  )
    return { kind: 'no-access-line', why: 'foreign' };
  const passOver = (why: PassedOver): LineReading => ({ kind: 'passed-over', atMs, why });
  if (direction !== 'inbound') return passOver('other-direction');
  const called = calledWorkload(workload, spiffeId);
  if (called === undefined) return passOver('unnamed');
  const port = portOf(fields.destination, workload);
  if (port === undefined) return passOver('unclear');
  if (peer === undefined) return { kind: 'plaintext', atMs, to: `${called.namespace}/${workload}:${port}` };
  const principal = typeof peer === 'string' ? parseSpiffeId(peer) : undefined;
  const http = httpOf(fields);
  if (principal?.ok !== true || http === 'unclear') return passOver('unclear');
  const call = { workload: called, principal: principal.value, port, http };
  const kind = kindOf(fields);
  if (kind !== 'admitted' && kind !== 'refused') return passOver(kind);
  const { reason } = fields;
  return { kind, atMs, call, reason: typeof reason === 'string' ? reason : 'not said' };
}

function fieldsOf(line: string): Fields | 'broken' {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return 'broken';
  }
}

function calledWorkload(name: string, spiffeId: unknown): CalledWorkload | undefined {
  const own = typeof spiffeId === 'string' ? parseSpiffeId(spiffeId) : undefined;
  if (own?.ok !== true || !workloadForm.test(name)) return undefined;
  const [, namespace = ''] = /\/ns\/([^/]+)\/sa\/[^/]+$/.exec(own.value) ?? [];
  return namespaceForm.test(namespace) ? { trustDomain: trustDomainOf(own.value), namespace, name } : undefined;
}

/** `prices:7002` of the workload itself. */
function portOf(destination: unknown, workload: string): number | undefined {
  if (typeof destination !== 'string' || !destination.startsWith(`${workload}:`)) return undefined;
  const text = destination.slice(workload.length + 1);
  const port = Number(text);
  return /^[1-9]\d{0,4}$/.test(text) && port <= 65_535 ? port : undefined;
}

/** A path that was cut in the log is none, and so is one that is not let pass. */
function httpOf({ protocol, method, path }: Fields): ObservedCall['http'] | 'unclear' {
  if (protocol === 'opaque') return undefined;
  if (typeof method !== 'string' || typeof path !== 'string') return 'unclear';
  const read = normalizePath(path);
  return read.ok ? { method, path: read.value } : 'unclear';
}

/** An app's answer, whatever its status, is one to a call that was admitted; so is a call that its ends broke off. */
function kindOf({ outcome, decisionId }: Fields): 'admitted' | 'refused' | PassedOver {
  switch (outcome) {
    case 'ok':
      return 'admitted';
    case 'denied':
      return 'refused';
    case 'cut':
      return decisionId === undefined ? 'admitted' : 'ended-by-decision';
    default:
      return 'failed';
  }
}
