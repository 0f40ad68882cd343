import type { Socket } from 'node:net';
import type { AgentCounters } from '#agent/admin/metrics.ts';
import type { Address, UpstreamConfig } from '#agent/config-types.ts';
import type { AgentEmit } from '#agent/events.ts';
import { exchangeProblemAnswer, exchangeProblemName, headProblemAnswer, type Answer } from '#agent/http/answers.ts';
import type { Deadlines } from '#agent/http/deadlines.ts';
import type { ExchangeLimits, ExchangeProblem } from '#agent/http/exchange.ts';
import type { HeadProblem, RequestHead } from '#agent/http/head.ts';
import {
  serveHttp,
  type Admission,
  type HandedOver,
  type HttpConnection,
  type HttpService,
  type HttpTimes,
} from '#agent/http/serve.ts';
import { connectTcp, createTcpUpstream } from '#agent/http/tcp-upstream.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import { cut } from '#agent/tunnel/cut.ts';
import type { OpenPeer, Peer } from '#agent/tunnel/peer.ts';
import { splice } from '#agent/tunnel/splice.ts';
import type { Clock } from '#runtime/clock.ts';
import { newDecisionId } from '#runtime/decision-id.ts';
import { ok, type Result } from '#runtime/result.ts';
import { outboundAnswer, type OutboundProblem } from './answers.ts';
import type { Destinations } from './destination.ts';
import { createPeerUpstream } from './peer-upstream.ts';

export interface OutboundParts {
  readonly openPeer: OpenPeer;
  readonly destinations: Destinations;
  readonly counters: AgentCounters;
  readonly emit: AgentEmit;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: ExchangeLimits;
  readonly times: HttpTimes;
  /** Ends waits for new streams when the agent is killed. */
  readonly kill: AbortSignal;
}

/** Where a request goes: to a peer of the mesh, past the mesh in clear (only where configured), or to a new protocol. */
export type Routed =
  | { readonly kind: 'peer'; readonly peer: Peer; readonly target: string }
  | { readonly kind: 'past-the-mesh'; readonly address: Address; readonly target: string }
  | { readonly kind: 'hand-over'; readonly answer: Buffer; readonly serve: () => HandedOver };

export type Route = (head: RequestHead) => Result<Routed, OutboundProblem>;

/** An app's HTTP connection: each request goes to whom `route` says, over the freshest session. */
export function serveOutboundHttp(parts: OutboundParts, socket: Socket, route: Route): HttpConnection {
  const { counters } = parts;
  const toPeer = createPeerUpstream(parts.openPeer, { clock: parts.clock, signal: parts.kill });
  let past: { readonly address: Address; readonly upstream: ReturnType<typeof createTcpUpstream> } | undefined;
  const report = createReport(parts);

  const upstreamTo = (routed: Exclude<Routed, { kind: 'hand-over' }>) => {
    if (routed.kind === 'peer') {
      toPeer.aim(routed.peer);
      return toPeer;
    }
    const { address } = routed;
    if (past?.address.host !== address.host || past.address.port !== address.port) {
      past?.upstream.close();
      past = { address, upstream: createTcpUpstream(address, parts) };
    }
    return past.upstream;
  };
  const admit = (head: RequestHead): Admission<OutboundProblem> => {
    const found = route(head);
    if (!found.ok) {
      counters.requests += 1;
      report.towards(head.host);
      return { kind: 'answer', answer: report.unreachable(found.reason) };
    }
    const routed = found.value;
    if (routed.kind === 'hand-over') return routed;
    counters.requests += 1;
    report.towards(routed.kind === 'peer' ? routed.peer.workload : head.host);
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return { kind: 'answer', answer: report.refused(headers.reason) };
    const request = { head, target: routed.target, headers: headers.value, filterFields: passAll };
    return { kind: 'forward', request, upstream: upstreamTo(routed) };
  };
  return serveHttp<OutboundProblem>(socket, {
    ...parts,
    admit,
    report,
    closed() {
      toPeer.close();
      past?.upstream.close();
    },
  });
}

/** An app's opaque connection, to an upstream or past the mesh. */
export async function serveOutboundTcp(
  parts: OutboundParts,
  socket: Socket,
  to: UpstreamConfig | Address,
): Promise<void> {
  const { counters } = parts;
  socket.pause();
  socket.on('error', () => undefined); // 'close' follows
  counters.streams += 1;
  counters.openStreams += 1;
  const report = createReport(parts);
  report.towards('workload' in to ? to.workload : to.host);
  const opened = await openOpaque(parts, to);
  if (!opened.ok) {
    counters.openStreams -= 1;
    report.unreachable(opened.reason);
    cut(socket);
    return;
  }
  report.upgradeEnded(await splice(socket, opened.value));
}

async function openOpaque(parts: OutboundParts, to: UpstreamConfig | Address) {
  if (!('workload' in to)) return connectTcp(to, parts.clock);
  const resolved = parts.destinations.resolve(to);
  const opened = resolved.ok ? await parts.openPeer(resolved.value, parts.kill) : resolved;
  return opened.ok ? ok(opened.value.duplex) : opened;
}

type Report = HttpService<OutboundProblem>['report'] & {
  refused(reason: HeadProblem | 'protected-header-in-connection'): Answer;
  /** Whom the connection's current request is for. */
  towards(destination: string): void;
};

function createReport({ counters, emit }: OutboundParts): Report {
  let destination = 'unknown';
  const refused = (reason: string): string => {
    const decisionId = newDecisionId();
    counters.denied += 1;
    emit({ event: 'outbound.refused', destination, reason, decisionId });
    return decisionId;
  };
  const fail = (reason: string): string => {
    const decisionId = newDecisionId();
    counters.failed += 1;
    emit({ event: 'outbound.failed', destination, reason, decisionId });
    return decisionId;
  };
  return {
    towards(name) {
      destination = name;
    },
    refused: (reason) => headProblemAnswer(reason, refused(reason)),
    unreachable(problem) {
      const isRefusal = problem === 'unknown-destination' || problem === 'refused-by-peer';
      return outboundAnswer(problem, isRefusal ? refused(problem) : fail(problem));
    },
    failed(problem: ExchangeProblem) {
      if (problem === 'downstream-gone') return exchangeProblemAnswer(problem, ''); // our own app changed its mind
      return exchangeProblemAnswer(problem, fail(exchangeProblemName(problem)));
    },
    answered(status, by) {
      counters.requestsByPeer.add(destination);
      if (by === 'app') return;
      if (status === 401 || status === 403) counters.denied += 1;
      else counters.failed += 1;
    },
    upgraded() {
      counters.streams += 1;
      counters.openStreams += 1;
    },
    upgradeEnded(how) {
      counters.openStreams -= 1;
      if (how === 'ended') return;
      counters.resets += 1;
      emit({ event: 'stream.reset', destination, reason: 'cut' });
    },
  };
}

const passAll = <T>(fields: T): T => fields;
