import type { Answer } from '#agent/http/answers.ts';
import type { RequestHead } from '#agent/http/head.ts';
import type { Forwarded } from '#agent/http/message.ts';
import type { RequestEnd, StreamEnd } from '#agent/http/service.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { accessLine, type AccessLine, type Direction, type Outcome } from './access-line.ts';
import { traceIdOf } from './trace-id.ts';

/** Whose request it is; the same for all requests of a report. */
export interface Parties {
  readonly direction: Direction;
  /** SPIFFE ID of the other end: who called where the direction is `inbound`, else who is called. */
  readonly peer: string | undefined;
  /** Address of a caller from outside the mesh. */
  readonly client: string | undefined;
  /** `workload:port`, or what a caller wrote in its place; undefined where that could not be read. */
  readonly destination: string | undefined;
}

/** What was refused before anything was passed on: a request, an opaque stream, or a head that could not be read. */
export type Refused = RequestHead | 'opaque' | 'unread';

export interface Refusal {
  /** What the caller is told. */
  readonly answer: Answer;
  /** As events name it. */
  readonly reason: string;
}

/** Writes one line for each request and opaque stream, when it is over. `reason`: why what was admitted is not allowed any more. */
export interface AccessLog {
  /** Whose log it is. */
  readonly workload: string;
  /** A request that was admitted and was not upgraded. */
  request(parties: Parties, end: RequestEnd, durationMs: number, reason?: string): void;
  /** An opaque stream, or what an upgrade made of a request. */
  stream(parties: Parties, end: StreamEnd, durationMs: number, reason?: string): void;
  /** The caller may not, or asked for what does not exist. */
  denied(parties: Parties, what: Refused, why: Refusal): void;
  /** It may, but there was no way. */
  failed(parties: Parties, what: Refused, why: Refusal): void;
}

export interface AccessLogParts {
  readonly workload: string;
  /** Of the workload; undefined: it has none yet. */
  readonly spiffeId: () => string | undefined;
  /** Share of the lines that are written, 0 to 1. */
  readonly sample: number;
  /** Whether requests that failed or were denied are always written. */
  readonly failures: 'always' | 'sampled';
  readonly clock: Clock;
  readonly random: Random;
  /** Takes a line, with its end, and never waits. */
  readonly write: (line: string) => void;
}

export function createAccessLog(parts: AccessLogParts): AccessLog {
  const { workload, clock, random, sample } = parts;
  let spiffeId: string | undefined;
  const isWritten = ({ outcome, status }: AccessLine): boolean => {
    if (sample >= 1) return true;
    if (parts.failures === 'always' && (outcome !== 'ok' || status >= 500)) return true;
    return random() < sample;
  };
  const write = (line: AccessLine): void => {
    if (!isWritten(line)) return;
    spiffeId ??= parts.spiffeId();
    parts.write(accessLine(line, { workload, spiffeId }, clock.now()));
  };
  const refuse = (outcome: 'denied' | 'failed') => (parties: Parties, what: Refused, why: Refusal) => {
    const { answer, reason } = why;
    const status = what === 'opaque' ? 0 : answer.status;
    write({ ...parties, ...unanswered(what), outcome, reason, status, ...idOf(answer) });
  };
  return {
    workload,
    request(parties, end, durationMs, reason) {
      const { status, requestBytes, responseBytes, grpcStatus, decisionId } = end;
      const outcome = outcomeOf(end);
      const numbers = { status, grpcStatus, durationMs, requestBytes, responseBytes };
      write({
        ...parties,
        ...asked(end.request),
        ...numbers,
        outcome,
        reason,
        decisionId: decisionId || undefined,
      });
    },
    stream(parties, { outcome, request, requestBytes, responseBytes, decisionId }, durationMs, reason) {
      const numbers = { grpcStatus: undefined, durationMs, requestBytes, responseBytes, reason, decisionId };
      const what = request === undefined ? { ...opaque, status: 0 } : { ...asked(request), status: 101 };
      write({ ...parties, ...what, ...numbers, outcome: outcome === 'ended' ? 'ok' : 'cut' });
    },
    denied: refuse('denied'),
    failed: refuse('failed'),
  };
}

type Asked = Pick<AccessLine, 'protocol' | 'method' | 'path' | 'traceId'>;

const opaque: Asked = { protocol: 'opaque', method: undefined, path: undefined, traceId: undefined };
const unread: Asked = { ...opaque, protocol: 'HTTP' };

function asked({ head, target }: Pick<Forwarded, 'head' | 'target'>): Asked {
  const { version, method, headers } = head;
  return {
    protocol: version === '2' ? 'HTTP/2' : `HTTP/${version}`,
    method,
    path: withoutQuery(target),
    traceId: traceIdOf(headers),
  };
}

function unanswered(what: Refused) {
  const numbers = { grpcStatus: undefined, durationMs: 0, requestBytes: 0, responseBytes: 0 };
  if (what === 'opaque') return { ...opaque, ...numbers };
  return { ...(what === 'unread' ? unread : asked({ head: what, target: what.target })), ...numbers };
}

function idOf({ decisionId }: Answer): Pick<AccessLine, 'decisionId'> {
  return { decisionId: decisionId || undefined };
}

function withoutQuery(target: string): string {
  const at = target.indexOf('?');
  return at < 0 ? target : target.slice(0, at);
}

/** Who answered tells what it was: the app; an agent that would not or could not; nobody to the end. */
function outcomeOf({ outcome, answeredBy, status }: RequestEnd): Outcome {
  if (outcome === 'cut') return 'cut';
  if (answeredBy === 'app') return 'ok';
  return status >= 500 ? 'failed' : 'denied';
}
