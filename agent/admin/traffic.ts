import type { RequestEnd, StreamEnd } from '#agent/http/service.ts';
import type { FailureReason } from './failure-reason.ts';
import { createLabelledCounter, type LabelledCounter } from './labelled-counter.ts';

/** Upper bounds of the buckets in which requests are counted by how long they took; one more is without a bound. */
export const durationBoundsMs: readonly number[] = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 1_000, 10_000];

/** What passes in one direction, counted in place. As a labelled counter it can be told to another thread, and summed up. */
export class Traffic implements LabelledCounter {
  /** Finished requests by how long they took: a number for each of `durationBoundsMs`, and the rest. */
  readonly durations: number[] = Array.from({ length: durationBoundsMs.length + 1 }, () => 0);
  durationSumMs = 0;
  /** Finished requests by the first digit of their status; 0: nothing was answered. */
  readonly statuses: number[] = [0, 0, 0, 0, 0, 0];
  /** Of bodies and opaque streams that have ended. */
  requestBytes = 0;
  responseBytes = 0;
  /** By reason, then by peer. */
  readonly failures = new Map<string, LabelledCounter>();

  /** An admitted request is over. */
  finished(durationMs: number, { status, requestBytes, responseBytes }: RequestEnd): void {
    let at = 0;
    while (at < durationBoundsMs.length && durationMs > durationBoundsMs[at]!) at += 1;
    this.durations[at]! += 1;
    this.durationSumMs += durationMs;
    this.statuses[(status / 100) | 0]! += 1;
    this.requestBytes += requestBytes;
    this.responseBytes += responseBytes;
  }

  /** An opaque stream is over. */
  streamEnded({ requestBytes, responseBytes }: StreamEnd): void {
    this.requestBytes += requestBytes;
    this.responseBytes += responseBytes;
  }

  /** Something of that peer, or for it, came to nothing. */
  failed(reason: FailureReason, peer: string): void {
    this.#failuresOf(reason).add(peer);
  }

  add(label: string, count = 1): void {
    const [kind = '', of = '', ...rest] = label.split(' ');
    if (kind === 'duration') this.durations[Number(of)]! += count;
    else if (kind === 'status') this.statuses[Number(of)]! += count;
    else if (kind === 'failure') this.#failuresOf(of).add(rest.join(' '), count);
    else if (label === 'duration-ms') this.durationSumMs += count;
    else if (label === 'request-bytes') this.requestBytes += count;
    else if (label === 'response-bytes') this.responseBytes += count;
  }

  *entries(): Generator<[label: string, count: number], undefined> {
    for (const [at, count] of this.durations.entries()) yield [`duration ${at}`, count];
    for (const [at, count] of this.statuses.entries()) yield [`status ${at}`, count];
    for (const [reason, peers] of this.failures) {
      for (const [peer, count] of peers.entries()) yield [`failure ${reason} ${peer}`, count];
    }
    yield ['duration-ms', this.durationSumMs];
    yield ['request-bytes', this.requestBytes];
    yield ['response-bytes', this.responseBytes];
  }

  #failuresOf(reason: string): LabelledCounter {
    let failures = this.failures.get(reason);
    if (failures === undefined) {
      failures = createLabelledCounter();
      this.failures.set(reason, failures);
    }
    return failures;
  }
}
