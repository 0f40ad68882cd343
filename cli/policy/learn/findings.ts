import { columns } from '#cli/policy/columns.ts';
import { plural } from '#cli/policy/plural.ts';
import { printable } from '#cli/printable.ts';
import { isoTime } from '#cli/time-text.ts';
import type { ObservedWorkload } from '#policy/learn/observations.ts';
import type { LeftOut, LogLearner } from './log-learner.ts';

/** Calls that are told and not learned, or not allowed: for people a line each. */
export interface ToldCall {
  /** Without `spiffe://`. */
  readonly from: string;
  /** `namespace/workload`. */
  readonly to: string;
  readonly port: number;
  /** Undefined: opaque. */
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly calls: number;
}

const shown = 50;

export function toldCalls(workloads: readonly ObservedWorkload[]): readonly ToldCall[] {
  return workloads.flatMap(({ namespace, name, callers }) =>
    callers.flatMap(({ principal, ports }) =>
      ports.flatMap(({ port, opaque, methods }): readonly ToldCall[] => {
        const told = { from: principal, to: `${namespace}/${name}`, port };
        return [
          ...(opaque > 0 ? [{ ...told, method: undefined, path: undefined, calls: opaque }] : []),
          ...methods.flatMap(({ method, routes }) =>
            routes.map(({ path, calls }) => ({ ...told, method, path, calls })),
          ),
        ];
      }),
    ),
  );
}

export function callLines(calls: readonly ToldCall[]): readonly string[] {
  const rows = calls.slice(0, shown).map(({ from, to, port, method = 'opaque', path = '', calls: count }) => {
    return ['', from, 'to', `${to}:${port}`, method, path, times(count)];
  });
  const more = calls.length > shown ? [`  and ${calls.length - shown} more (--json has all of them)`] : [];
  return [...linesOf(columns(rows)), ...more];
}

/** Of how many calls, and when: one sentence. */
export function sourceText(learner: LogLearner): string {
  const workloads = learner.observations.workloads();
  const callers = new Set(workloads.flatMap((each) => each.callers.map(({ principal }) => principal)));
  const calls = plural(learner.learned, 'call');
  const refused = learner.refusedLearned === 0 ? '' : ` (${learner.refusedLearned} of them refused)`;
  const counted = `${calls}${refused} of ${plural(callers.size, 'caller')} to ${plural(workloads.length, 'workload')}`;
  if (learner.fromMs === Infinity) return counted;
  return `${counted}, ${isoTime(learner.fromMs)} to ${isoTime(learner.untilMs)}`;
}

const meanings: Readonly<Record<Exclude<LeftOut, `refused: ${string}`>, string>> = {
  broken: 'no JSON',
  foreign: 'of something else than an access log',
  'too-long': 'longer than 1 MiB',
  'before-since': 'from before --since',
  'other-workload': 'of calls to other workloads than --to',
  'other-direction': "of outbound calls and gateways: the called agent's line counts",
  unnamed: 'of a workload whose SPIFFE ID has no namespace, or is not said',
  failed: 'of calls that came to nothing (`failed`)',
  'ended-by-decision': 'of calls and streams that an agent broke off (`cut`, with a decision)',
  unclear: 'of which port, method or path cannot be told',
  plaintext: 'of callers without a certificate: see `eastwest strict-check`',
  unwritable: 'of calls that a policy cannot name exactly (`*`, `{` or `}` in the method or path)',
  'no-room': 'of calls for which there was no room: too many different ones; name a workload with --to',
};

/** A line for each reason for which lines were left out. */
export function leftOutLines({ leftOut, plaintext }: LogLearner): readonly string[] {
  const lines = [...leftOut]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([why, count]) =>
        `  ${plural(count, 'line')} ${isRefusal(why) ? `of calls ${printable(why).replace(':', '')}` : meanings[why]}`,
    );
  const callees = [...plaintext].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [...lines, ...callees.map(([to, count]) => `    without a certificate to ${to} ${times(count)}`)];
}

function isRefusal(why: LeftOut): why is `refused: ${string}` {
  return why.startsWith('refused: ');
}

function times(count: number): string {
  return `(${plural(count, 'call')})`;
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
