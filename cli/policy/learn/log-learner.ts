import { UsageError } from '#cli/edge.ts';
import { Observations, type ObservedCall } from '#policy/learn/observations.ts';
import { PolicyUse } from '#policy/learn/policy-use.ts';
import type { PolicyDocument, PolicyName } from '#policy/model.ts';
import { readAccessLine, type LineReading, type PassedOver } from './access-lines.ts';

export interface LearnOptions {
  /** Only calls to this one are learned. */
  readonly to: PolicyName | undefined;
  readonly sinceMs: number;
  readonly minValues: number;
  /** Calls that were refused because no rule matched are learned too. */
  readonly includeDenied: boolean;
  /** Undefined: there are none to compare with. */
  readonly current: readonly PolicyDocument[] | undefined;
}

/** Lines that nothing is learned from, by why. */
export type LeftOut =
  | PassedOver
  | 'broken'
  | 'foreign'
  | 'too-long'
  | 'plaintext'
  | 'before-since'
  | 'other-workload'
  | 'unwritable'
  | 'no-room'
  /** Refused for another reason than that no rule matched: no ALLOW rule would mend that. */
  | `refused: ${string}`;

type ReadCall = Extract<LineReading, { readonly call: ObservedCall }>;

const megabyte = 1_048_576;
const refusedForWantOfRule = 'no-rule-matches';
const maxDestinations = 100;
const maxReasons = 100;

/** What the lines of access logs come to. Holds no line. */
export class LogLearner {
  lines = 0;
  learned = 0;
  /** Of those that were learned. */
  refusedLearned = 0;
  fromMs = Infinity;
  untilMs = -Infinity;
  readonly leftOut = new Map<LeftOut, number>();
  /** Calls without a certificate, by `namespace/workload:port`. */
  readonly plaintext = new Map<string, number>();
  readonly observations: Observations;
  /** For want of a rule, and not learned. */
  readonly refused: Observations;
  /** Learned, and such as no current rule allows; a current DENY rule refuses. */
  readonly notAllowed: Observations;
  readonly nowDenied: Observations;
  /** Learned, and perhaps allowed by a rule that asks for hosts or headers. */
  perhapsAllowed = 0;
  readonly use: PolicyUse | undefined;
  readonly #options: LearnOptions;

  constructor(options: LearnOptions) {
    const { minValues, current } = options;
    const room = (megabytes: number) => new Observations({ minValues, maxBytes: megabytes * megabyte });
    this.#options = options;
    this.observations = room(64);
    [this.refused, this.notAllowed, this.nowDenied] = [room(8), room(8), room(8)];
    this.use = current && new PolicyUse(current);
  }

  /** Whether there was any line of an access log. */
  get isOfAccessLogs(): boolean {
    return (this.leftOut.get('broken') ?? 0) + (this.leftOut.get('foreign') ?? 0) < this.lines || this.lines === 0;
  }

  /** Undefined: a line that was too long to be read. */
  take(line: string | undefined): void {
    if (line?.trim() === '') return;
    this.lines += 1;
    if (line === undefined) return this.#leaveOut('too-long');
    const reading = readAccessLine(line);
    if (reading.kind === 'no-access-line') return this.#leaveOut(reading.why);
    if (reading.atMs < this.#options.sinceMs) return this.#leaveOut('before-since');
    this.#takeReading(reading);
  }

  #takeReading(reading: Exclude<LineReading, { readonly kind: 'no-access-line' }>): void {
    switch (reading.kind) {
      case 'passed-over':
        return this.#leaveOut(reading.why);
      case 'plaintext':
        return this.#takePlaintext(reading.to);
      case 'refused':
        if (reading.reason !== refusedForWantOfRule) return this.#leaveOut(this.#refusedBy(reading.reason));
        return this.#takeCall(reading, this.#options.includeDenied ? this.observations : this.refused);
      case 'admitted':
        return this.#takeCall(reading, this.observations);
    }
  }

  #takeCall({ kind, call, atMs }: ReadCall, into: Observations): void {
    const { to } = this.#options;
    const isAsked = to === undefined || (call.workload.name === to.name && call.workload.namespace === to.namespace);
    if (!isAsked) return this.#leaveOut('other-workload');
    const taken = into.add(call);
    if (into === this.refused) return;
    if (taken !== 'taken') return this.#leaveOut(taken);
    this.learned += 1;
    this.fromMs = Math.min(this.fromMs, atMs);
    this.untilMs = Math.max(this.untilMs, atMs);
    if (kind === 'refused') this.refusedLearned += 1;
    this.#compare(call);
  }

  #compare(call: ObservedCall): void {
    const standing = this.use?.note(call);
    if (standing === undefined) return;
    if (!standing.ok) {
      const lines = standing.reason.map(({ policy, path, problem }) => `${policy}: ${path}: ${problem}`);
      throw new UsageError(`no agent would load the current policies:\n${lines.join('\n')}`, 'correct them');
    }
    if (standing.value === 'perhaps') this.perhapsAllowed += 1;
    if (standing.value === 'not-allowed') this.notAllowed.add(call);
    if (standing.value === 'denied') this.nowDenied.add(call);
  }

  #takePlaintext(to: string): void {
    this.#leaveOut('plaintext');
    if (this.plaintext.size < maxDestinations || this.plaintext.has(to))
      this.plaintext.set(to, (this.plaintext.get(to) ?? 0) + 1);
  }

  /** Agents know few reasons; whoever writes logs by hand may know more. */
  #refusedBy(reason: string): LeftOut {
    const why: LeftOut = `refused: ${reason.slice(0, 100)}`;
    return this.leftOut.size < maxReasons || this.leftOut.has(why) ? why : 'refused: for other reasons';
  }

  #leaveOut(why: LeftOut): void {
    this.leftOut.set(why, (this.leftOut.get(why) ?? 0) + 1);
  }
}
