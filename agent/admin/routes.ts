import { isIP } from 'node:net';
import { unreachable } from '#runtime/result.ts';
import type { AdminConfig, AgentConfig } from '#agent/config-types.ts';
import type { ToldDecision } from '#agent/policy/told-decision.ts';
import { renderMetrics } from './exposition.ts';
import type { ReadinessReport } from './readiness.ts';
import type { ToldCallers } from './told-callers.ts';
import { describeStatus, type AgentFacts } from './status.ts';

/** Which door a request came through: the TCP port only tells, the Unix socket also acts. */
export type Door =
  | { readonly kind: 'tcp'; readonly reachableFrom: AdminConfig['reachableFrom'] }
  | { readonly kind: 'socket' };

export interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string | undefined;
}

export interface AdminReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface AdminActions {
  readiness(): ReadinessReport;
  facts(): Promise<AgentFacts>;
  /** Holds paths and addresses only: a secret has no field to be in. */
  readonly config: AgentConfig;
  /** Why a call was refused; undefined: nobody knows (any more). */
  decision(id: string): Promise<ToldDecision | undefined>;
  plaintextCallers(): Promise<ToldCallers>;
  drain(): void;
  renew(): void;
}

const routes = {
  '/livez': { method: 'GET', door: 'any' },
  '/readyz': { method: 'GET', door: 'any' },
  '/metrics': { method: 'GET', door: 'any' },
  '/config': { method: 'GET', door: 'socket' },
  '/status': { method: 'GET', door: 'socket' },
  '/plaintext-callers': { method: 'GET', door: 'socket' },
  '/drain': { method: 'POST', door: 'socket' },
  '/renew': { method: 'POST', door: 'socket' },
} as const;

export async function answerAdmin(request: AdminRequest, door: Door, actions: AdminActions): Promise<AdminReply> {
  if (door.kind === 'tcp' && !isOwnHost(request.host, door.reachableFrom)) return plain(421, 'this is not that host\n');
  const [, decision] = /^\/decisions\/([\w-]{1,40})$/.exec(request.path) ?? [];
  if (decision !== undefined && door.kind === 'socket' && request.method === 'GET') return tell(decision, actions);
  if (!isRoute(request.path)) return plain(404, 'not found\n');
  const route = routes[request.path];
  if (route.door === 'socket' && door.kind !== 'socket') return plain(404, 'not found\n');
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method !== route.method) {
    const allow = route.method === 'GET' ? 'GET, HEAD' : route.method;
    return { ...plain(405, 'method not allowed\n'), headers: { ...textHeaders, allow } };
  }
  return answer(request.path, actions);
}

async function answer(path: keyof typeof routes, actions: AdminActions): Promise<AdminReply> {
  switch (path) {
    case '/livez':
      return plain(200, 'ok\n');
    case '/readyz': {
      const readiness = actions.readiness();
      return json(readiness.ready ? 200 : 503, readiness);
    }
    case '/metrics': {
      const { contentType, text } = await renderMetrics(await actions.facts());
      return { status: 200, headers: { 'content-type': contentType }, body: text };
    }
    case '/config':
      return json(200, actions.config);
    case '/status':
      return json(200, describeStatus(await actions.facts()));
    case '/plaintext-callers':
      return json(200, await actions.plaintextCallers());
    case '/drain':
      actions.drain();
      return plain(202, 'draining\n');
    case '/renew':
      actions.renew();
      return plain(202, 'renewing\n');
    default:
      return unreachable(path);
  }
}

async function tell(id: string, actions: AdminActions): Promise<AdminReply> {
  const told = await actions.decision(id);
  return told === undefined ? plain(404, 'no such decision\n') : json(200, told);
}

/**
 * Whether the request means us: an address, or `localhost`. A name is what a web page would send after pointing its own
 * name at this machine (DNS rebinding).
 */
function isOwnHost(host: string | undefined, reachableFrom: AdminConfig['reachableFrom']): boolean {
  const [, bracketed, name = bracketed] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(host ?? '') ?? [];
  if (name === undefined) return false;
  if (name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))) return true;
  return reachableFrom === 'anywhere' && isIP(name) !== 0;
}

function isRoute(path: string): path is keyof typeof routes {
  return Object.hasOwn(routes, path);
}

const textHeaders = { 'content-type': 'text/plain; charset=utf-8' };

function plain(status: number, body: string): AdminReply {
  return { status, headers: textHeaders, body };
}

function json(status: number, value: unknown): AdminReply {
  return { status, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(value)}\n` };
}
