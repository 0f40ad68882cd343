import { expect, test } from 'vitest';
import type { Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import type { ResponseHead } from '#agent/http/head.ts';
import { timedUpstream } from '#agent/outbound/timed-upstream.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createMemoryPipes } from '#support/memory-pipe.ts';

const head = { status: 200 } as ResponseHead;

/** An exchange of 1 s whose two ends write down what they are told. */
function createStage() {
  const clock = createFakeClock(0);
  const story: string[] = [];
  const note =
    (who: string, what: string) =>
    (...[first]: readonly unknown[]): void =>
      void story.push([who, what, ...(typeof first === 'string' ? [first] : [])].join(' '));
  const sending: RequestSink = {
    data: (bytes) => {
      story.push(`upstream data ${bytes.toString()}`);
      return false;
    },
    end: note('upstream', 'end'),
    abort: note('upstream', 'abort'),
    pause: note('upstream', 'pause'),
    resume: note('upstream', 'resume'),
  };
  const response: ResponseSink<never> = {
    informational: note('caller', 'informational'),
    head: note('caller', 'head'),
    data: note('caller', 'data'),
    end: note('caller', 'end'),
    upgraded: note('caller', 'upgraded'),
    failed: note('caller', 'failed'),
    onRequestDrain: note('caller', 'drain'),
  };
  let answer: ResponseSink<never> | undefined;
  const upstream: Upstream<never> = {
    start(_, sink) {
      answer = sink;
      return sending;
    },
    close: note('upstream', 'close'),
  };
  const timed = timedUpstream(upstream, 1_000, clock);
  const request = timed.start({} as Forwarded, response);
  return { clock, story, timed, request, answer: answer! };
}

test('a whole exchange passes as it is, and leaves no timer', () => {
  const { clock, story, timed, request, answer } = createStage();
  expect(request.data(Buffer.from('a'))).toBe(false);
  answer.onRequestDrain();
  request.end([]);
  answer.informational(head, []);
  answer.head(head, []);
  answer.data(Buffer.from('b'));
  request.pause();
  request.resume();
  answer.end([]);
  timed.close();
  expect(story).toEqual([
    'upstream data a',
    'caller drain',
    'upstream end',
    'caller informational',
    'caller head',
    'caller data',
    'upstream pause',
    'upstream resume',
    'caller end',
    'upstream close',
  ]);
  expect(clock.waiting()).toBe(0);
});

test('when its time is over the upstream is aborted, the caller told, and nothing passes any more', async () => {
  const { clock, story, request, answer } = createStage();
  answer.head(head, []);
  await clock.advance(1_000);
  expect(story).toEqual(['caller head', 'upstream abort', 'caller failed upstream-timeout']);
  expect(request.data(Buffer.from('late'))).toBe(true);
  request.end([]);
  request.abort();
  answer.data(Buffer.from('late'));
  answer.end([]);
  answer.failed('upstream-broken');
  expect(story).toHaveLength(3);
});

test.each<[string, (stage: ReturnType<typeof createStage>) => void]>([
  ['a failure', ({ answer }) => answer.failed('upstream-closed')],
  ['a caller that leaves', ({ request }) => request.abort()],
  ['an upgrade', ({ answer }) => answer.upgraded(head, [], { pipe: {} as Pipe, early: Buffer.alloc(0) })],
])('%s ends the time', async (_name, end) => {
  const stage = createStage();
  end(stage);
  expect(stage.clock.waiting()).toBe(0);
  await stage.clock.advance(2_000);
  expect(stage.story).toHaveLength(1);
});

test('an upgrade that comes too late is cut', async () => {
  const { clock, story, answer } = createStage();
  await clock.advance(1_000);
  const { a, deliver } = createMemoryPipes({ delivery: 'manual' });
  answer.upgraded(head, [], { pipe: a, early: Buffer.alloc(0) });
  deliver();
  expect(a.state.cut).toBe(true);
  expect(story.at(-1)).toBe('caller failed upstream-timeout');
});
