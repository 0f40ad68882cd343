import type { CallerRecord, PortRecord, Tally } from '#agent/plaintext/ledger-report.ts';
import { isoTime, showDuration } from '#cli/time-text.ts';
import type { Answer, JudgedAgent, JudgedPort, PortVerdict } from './judge.ts';
import type { StrictDocument } from './strict-documents.ts';

export interface Checked {
  readonly answer: Answer;
  readonly forMs: number;
  readonly agents: readonly JudgedAgent[];
  /** Who was asked and said nothing. */
  readonly unanswered: readonly string[];
  readonly documents: readonly StrictDocument[];
}

/** Callers and names that are listed; of others there is a number. */
const maxListed = 20;

/** What a person reads; the last lines are the answer and what to do next. */
export function checkedText(checked: Checked): string {
  return [
    ...checked.agents.flatMap((agent) => agentLines(agent, checked.forMs)),
    ...checked.unanswered.map((agent) => `${agent} did not answer`),
    '',
    ...answerLines(checked),
    ...(checked.unanswered.length > 0 ? [] : checked.documents.flatMap(documentLines)),
    '',
  ].join('\n');
}

function agentLines({ told, ports }: JudgedAgent, forMs: number): readonly string[] {
  const only = told.mtlsOnly.map((port) => `  port ${port}: mTLS only, it has no listener of its own`);
  const closed = told.unobserved.map((port) => `  port ${port}: not observed yet, the agent is starting`);
  const nothing = ports.length + only.length + closed.length === 0 ? ['  no inbound ports'] : [];
  return [
    told.workload,
    ...ports.flatMap((port) => portLines(port, { nowMs: told.nowMs, forMs })),
    ...closed,
    ...only,
    ...nothing,
  ];
}

interface Times {
  readonly nowMs: number;
  readonly forMs: number;
}

function portLines({ record, verdict, refused }: JudgedPort, times: Times): readonly string[] {
  const { port, mode, sinceMs } = record;
  const { nowMs } = times;
  const since = `${showDuration(nowMs - sinceMs)}, since ${isoTime(sinceMs)}`;
  return [
    `  port ${port}: ${mode}, observed so for ${since}`,
    ...callerLines('let in, would be cut off', verdict.kind === 'breaks' ? verdict.callers : [], nowMs),
    ...(verdict.kind === 'breaks' && verdict.areOthers ? ['      and others, for whom the ledger had no room'] : []),
    ...formerLines(record, verdict, nowMs),
    ...callerLines('refused anyway', refused, nowMs),
    ...overflowLines(record.overflow),
    `    over mTLS: ${peersText(record, nowMs)}`,
    `    ${verdictText(verdict, record, times)}`,
  ];
}

function callerLines(title: string, callers: readonly CallerRecord[], nowMs: number): readonly string[] {
  if (callers.length === 0) return [];
  const listed = callers.slice(0, maxListed).map((caller) => `      ${callerText(caller, nowMs)}`);
  const more = callers.length > maxListed ? [`      and ${callers.length - maxListed} more: see --json`] : [];
  return [`    plaintext callers, ${title}:`, ...listed, ...more];
}

function callerText(caller: CallerRecord, nowMs: number): string {
  const { address, lastAdmittedMs, lastSeenMs, admitted, refused, connections, open, protocols, examples } = caller;
  const numbers = [
    `last ${showDuration(nowMs - (lastAdmittedMs ?? lastSeenMs))} ago`,
    `${connections} ${connections === 1 ? 'connection' : 'connections'}${open > 0 ? ` (${open} open now)` : ''}`,
    ...(admitted > 0 ? [`${admitted} let in`] : []),
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...protocols,
    ...examples,
  ];
  return `${address}: ${numbers.join(', ')}`;
}

/** Those that were let in so long ago that nobody waits for them. */
function formerLines({ callers }: PortRecord, verdict: PortVerdict, nowMs: number): readonly string[] {
  const breaking = verdict.kind === 'breaks' ? verdict.callers : [];
  return callerLines(
    'let in once, not lately',
    callers.filter((caller) => caller.admitted > 0 && !breaking.includes(caller)),
    nowMs,
  );
}

function overflowLines(overflow: Tally | null): readonly string[] {
  if (overflow === null) return [];
  const { connections, admitted, refused } = overflow;
  return [
    `    the ledger is full: ${connections} connections of others, ${admitted} let in, ${refused} refused, without names`,
  ];
}

function peersText({ peers: { connections, lastSeenMs, names } }: PortRecord, nowMs: number): string {
  if (connections === 0 || lastSeenMs === null) return 'nobody yet';
  const some = names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '');
  return `${connections} ${connections === 1 ? 'connection' : 'connections'}, last ${showDuration(nowMs - lastSeenMs)} ago, of ${some}`;
}

function verdictText(verdict: PortVerdict, { sinceMs }: PortRecord, { forMs }: Times): string {
  switch (verdict.kind) {
    case 'strict':
      return 'strict already: plaintext is turned away';
    case 'safe':
      return `safe: no plaintext caller was let in for ${showDuration(forMs)}`;
    case 'breaks': {
      const { length } = verdict.callers;
      return `not safe: ${length} ${length === 1 ? 'caller' : 'callers'} would break; move them to mTLS, or take them out of the rules`;
    }
    default:
      return verdict.why === 'overflow'
        ? 'cannot tell who: callers were let in that the ledger had no room for; narrow the rules that let in anybody'
        : `cannot tell yet: ask again after ${isoTime(sinceMs + forMs)}, or say with --for how much is enough`;
  }
}

function answerLines({ answer, agents, unanswered, documents }: Checked): readonly string[] {
  const named = agents.flatMap(({ told, ports }) =>
    ports
      .filter(({ verdict }) => verdict.kind === 'breaks')
      .map(({ record, verdict }) => [`${told.workload}:${record.port}`, verdict] as const),
  );
  switch (answer) {
    case 'breaks':
      return [
        'no: strict would break',
        ...named.flatMap(([port, verdict]) =>
          verdict.kind === 'breaks'
            ? verdict.callers.slice(0, maxListed).map(({ address }) => `  ${address} at ${port}`)
            : [],
        ),
      ];
    case 'safe':
      return [documents.length === 0 ? 'yes: every port takes mTLS only already' : 'yes: strict is safe'];
    default:
      return [
        unanswered.length > 0 || agents.length === 0
          ? 'cannot tell: ask again when every agent answers; is it running, and is its admin.socket the one named?'
          : 'cannot tell: see above what each port needs',
      ];
  }
}

function documentLines({ workload, replaces, text }: StrictDocument): readonly string[] {
  const place = replaces === undefined ? '' : `, in the place of ${replaces}`;
  return ['', `next for ${workload}: \`eastwest policy apply FILE\`${place}, with`, '', text.trimEnd()];
}
