import type { Duplex } from 'node:stream';
import {
  exchangeProblemAnswer,
  exchangeProblemName,
  headProblemAnswer,
  problemAnswer,
  type Answer,
} from '#agent/http/answers.ts';
import type { Forwarded } from '#agent/http/exchange.ts';
import type { RequestHead } from '#agent/http/head.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import { serveHttp, type Admission, type HttpConnection, type HttpService, type Upstream } from '#agent/http/serve.ts';
import { originForm } from '#agent/http/target.ts';
import { connectTcp, createTcpUpstream, type TcpUpstream } from '#agent/http/tcp-upstream.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import { splice } from '#agent/tunnel/splice.ts';
import { newDecisionId } from '#runtime/decision-id.ts';
import { ok, type Result } from '#runtime/result.ts';
import type { Caller, InboundParts } from './caller.ts';
import { denyReply } from './deny-reply.ts';
import { setIdentityHeaders, type CallerIdentity } from './identity-headers.ts';
import { authorize, type DenyReason, type Permit } from './permit.ts';

/** A caller's HTTP bytes: each request is judged by its head, before a byte of its body is read, then goes to the app. */
export function serveInboundHttp(parts: InboundParts, duplex: Duplex, caller: Caller): HttpConnection {
  const app = createTcpUpstream(caller.port.app, parts);
  const report = createReport(parts, caller);
  const { spiffeId, svid } = caller.peer;
  const identity = { spiffeId, thumbprint: svid.thumbprint, subject: svid.subject, by: parts.self() };
  const admit = (head: RequestHead): Admission<'app-unreachable'> => {
    parts.counters.inboundRequests += 1;
    const permit = judge(parts, caller);
    if (!permit.ok) return { kind: 'answer', answer: report.denied(permit.reason) };
    if (head.form === 'authority') return { kind: 'answer', answer: report.refused('bad-target') }; // CONNECT is for proxies
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return { kind: 'answer', answer: report.refused(headers.reason) };
    const request = { head, target: originForm(head), headers: headers.value, filterFields: stripReserved };
    return forward(permit.value, request, { identity, app });
  };
  return serveHttp<'app-unreachable'>(duplex, { ...parts, admit, report, closed: () => app.close() });
}

/** To the app, with the caller's verified identity and no other. Asks for a Permit. */
function forward(
  _permit: Permit,
  request: Forwarded,
  { identity, app }: { identity: CallerIdentity; app: TcpUpstream },
): { readonly kind: 'forward'; readonly request: Forwarded; readonly upstream: Upstream<'app-unreachable'> } {
  const headers = setIdentityHeaders(request.headers, identity);
  return { kind: 'forward', request: { ...request, headers }, upstream: app };
}

/** Opens the app's opaque port for a caller, or says why not. `connect` answers the caller before bytes flow. */
export async function openInboundTcp(
  parts: InboundParts,
  caller: Caller,
): Promise<Result<(duplex: Duplex) => Promise<void>, DenyReason | 'app-unreachable'>> {
  const { counters } = parts;
  counters.inboundRequests += 1;
  const report = createReport(parts, caller);
  const permit = judge(parts, caller);
  if (!permit.ok) {
    report.denied(permit.reason);
    return permit;
  }
  return forwardOpaque(permit.value, { parts, caller, report });
}

async function forwardOpaque(
  permit: Permit,
  { parts, caller, report }: { parts: InboundParts; caller: Caller; report: Report },
): Promise<Result<(duplex: Duplex) => Promise<void>, 'app-unreachable'>> {
  const app = await connectTcp(caller.port.app, parts.clock);
  if (!app.ok) {
    report.unreachable(app.reason);
    return app;
  }
  parts.counters.inboundRequestsByPeer.add(permit.principal);
  return ok(async (duplex) => {
    report.upgraded();
    report.upgradeEnded(await splice(duplex, app.value));
  });
}

function judge(parts: InboundParts, { peer, port }: Caller): Result<Permit, DenyReason> {
  const call = { principal: peer.spiffeId, port: port.port, peerNotAfterMs: peer.svid.notAfterMs };
  return authorize(parts.rules, call, parts.clock.now());
}

type Report = HttpService<'app-unreachable'>['report'] & {
  denied(reason: DenyReason): Answer;
  refused(reason: Parameters<typeof headProblemAnswer>[0]): Answer;
};

function createReport({ counters, emit }: InboundParts, { peer, port }: Caller): Report {
  const facts = { principal: peer.spiffeId, port: port.port };
  const failed = (reason: string): string => {
    const decisionId = newDecisionId();
    counters.inboundFailed += 1;
    emit({ event: 'inbound.failed', ...facts, reason, decisionId });
    return decisionId;
  };
  return {
    denied(reason) {
      const decisionId = newDecisionId();
      counters.inboundDenied += 1;
      emit({ event: 'inbound.denied', ...facts, reason, decisionId });
      const { status, title } = denyReply(reason);
      return problemAnswer(status, title, decisionId);
    },
    refused(reason) {
      const decisionId = newDecisionId();
      counters.inboundDenied += 1;
      emit({ event: 'inbound.refused', ...facts, reason, decisionId });
      return headProblemAnswer(reason, decisionId);
    },
    unreachable: (problem) => problemAnswer(503, 'The app cannot be reached', failed(problem)),
    failed(problem) {
      if (problem === 'downstream-gone') return exchangeProblemAnswer(problem, ''); // the caller changed its mind
      return exchangeProblemAnswer(problem, failed(exchangeProblemName(problem)));
    },
    answered: () => counters.inboundRequestsByPeer.add(peer.spiffeId),
    upgraded() {
      counters.inboundOpenStreams += 1;
    },
    upgradeEnded() {
      counters.inboundOpenStreams -= 1;
    },
  };
}
