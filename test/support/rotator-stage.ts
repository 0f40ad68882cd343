import { expect, onTestFinished, vi } from 'vitest';
import type { AgentEvent } from '#agent/events.ts';
import { createJoinTokens } from '#agent/identity/attest.ts';
import type { PrepareIdentity } from '#agent/identity/prepare-next.ts';
import { Rotator } from '#agent/identity/rotator.ts';
import type { StateDir } from '#agent/identity/state-dir.ts';
import { createIdentityStore, type IdentitySnapshot } from '#agent/identity/store.ts';
import { createFakeClock, type FakeClock } from '#support/fake-clock.ts';
import { bundleOf, createFakeIssuer, type FakeIssuer, type FakeIssuerOptions } from '#support/fake-issuer.ts';
import { createTestCa } from '#support/test-ca.ts';

export const startMs = Date.UTC(2026, 0, 1);
export const lifeMs = 100_000;

export interface Stage {
  readonly clock: FakeClock;
  readonly issuer: FakeIssuer;
  readonly ca: ReturnType<typeof createTestCa>;
  readonly rotator: Rotator;
  readonly events: AgentEvent[];
  readonly store: ReturnType<typeof createIdentityStore>;
  readonly running: Promise<never>;
  /** Moves time and waits until the store has this generation. */
  generation(number: number): Promise<IdentitySnapshot>;
  /** Waits until this many renewals have failed in a row. */
  failures(number: number): Promise<void>;
}

export interface StageOptions extends Partial<Pick<FakeIssuerOptions, 'skewMs' | 'lifeMs'>> {
  readonly token?: string | undefined;
  readonly stateDir?: StateDir;
  readonly random?: number;
  readonly prepare?: PrepareIdentity;
  readonly clock?: FakeClock;
  readonly ca?: ReturnType<typeof createTestCa>;
  readonly before?: (issuer: FakeIssuer) => void;
}

export function startRotator(options: StageOptions = {}): Stage {
  const { token = 'first-token', random = 0.5 } = options;
  const clock = options.clock ?? createFakeClock(startMs);
  const ca = options.ca ?? createTestCa({ nowMs: startMs });
  const issuer = createFakeIssuer({
    ca,
    clock,
    workload: 'prices',
    lifeMs: options.lifeMs ?? lifeMs,
    skewMs: options.skewMs ?? 0,
  });
  options.before?.(issuer);
  const store = createIdentityStore();
  const events: AgentEvent[] = [];
  const stop = new AbortController();
  const source = token === '' ? undefined : ({ kind: 'stdin' } as const);
  const rotator = new Rotator({
    workload: 'prices',
    store,
    call: issuer.call,
    joinTokens: createJoinTokens(source, { workload: 'prices', stdin: linesOf(token) }),
    pinned: bundleOf(0, ca),
    stateDir: options.stateDir,
    prepare: options.prepare,
    clock,
    random: () => random,
    emit: (event) => void events.push(event),
  });
  const running = rotator.run(stop.signal);
  running.catch(() => undefined); // looked at by those who care
  onTestFinished(() => stop.abort(new Error('done')));
  return {
    clock,
    issuer,
    ca,
    rotator,
    events,
    store,
    running,
    async generation(number) {
      await vi.waitFor(() => expect(store.current()?.generation).toBe(number), { interval: 1 });
      await settled(clock);
      return store.current()!;
    },
    failures: (number) => vi.waitFor(() => expect(rotator.status().failures).toBe(number), { interval: 1 }),
  };
}

export async function* linesOf(text: string): AsyncGenerator<string> {
  yield `${text}\n`;
}

/** Key generation and what follows it have come to an end: the rotator waits for the clock, which stands still. */
export function settled(clock: FakeClock): Promise<void> {
  return vi.waitFor(() => expect(clock.waiting()).toBeGreaterThan(0), { interval: 1 });
}
