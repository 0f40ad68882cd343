import type { H2Session } from '#agent/h2/types.ts';
import { createDeadlines } from '#agent/http/deadlines.ts';
import { createH2Upstream } from '#agent/http/h2/h2-upstream.ts';
import type { H2UpstreamOptions, SessionWaiter } from '#agent/http/h2/session-source.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { FakeCaller, forwardedOf, type Unreachable } from './fake-exchange.ts';
import { FakeSession } from './fake-stream.ts';

export const get = ':method: GET|:scheme: http|:authority: Shop.test:80|:path: /prices';
export const post = ':method: POST|:scheme: http|:authority: shop.test|:path: /orders';
export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
export const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** An upstream whose session is there at once, or comes when the test says so. */
export function createUpstreamStage(
  given: Partial<H2UpstreamOptions<Unreachable>> & { readonly session?: 'later' } = {},
) {
  const clock = createFakeClock(0);
  const session = new FakeSession();
  const waiters = new Set<SessionWaiter<Unreachable>>();
  let current: H2Session | undefined = given.session === 'later' ? undefined : session;
  const upstream = createH2Upstream<Unreachable>({
    scheme: 'http',
    extraFields: [],
    deadlines: createDeadlines(clock),
    queue: { maxRequests: 2, maxMs: 1_000 },
    problems: { noStream: 'no-stream', refused: 'refused' },
    source: {
      session(waiter) {
        if (current === undefined) waiters.add(waiter);
        return current;
      },
      forget: (waiter) => void waiters.delete(waiter),
    },
    ...given,
  });
  return {
    clock,
    session,
    waiters,
    start(text: string, ending: 'with-head' | 'later' = 'with-head') {
      const caller = new FakeCaller();
      return { caller, sink: upstream.start(forwardedOf(text, ending), caller) };
    },
    bring(): void {
      current = session;
      for (const waiter of waiters) waiter.onSession(session);
    },
  };
}
