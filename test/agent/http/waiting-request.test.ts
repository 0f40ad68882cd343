import { expect, test } from 'vitest';
import type { RequestSink, ResponseSink } from '#agent/http/message.ts';
import { WaitingRequest } from '#agent/http/waiting-request.ts';
import { requestFor } from '#support/ask.ts';

function stage(takes: (bytes: Buffer) => boolean = () => true) {
  const log: string[] = [];
  const sink: RequestSink = {
    data(bytes) {
      log.push(`data ${bytes.toString()}`);
      return takes(bytes);
    },
    end: () => void log.push('end'),
    abort: () => void log.push('abort'),
    pause: () => void log.push('pause'),
    resume: () => void log.push('resume'),
  };
  const response = {
    onRequestDrain: () => void log.push('drain'),
    failed: (problem: { unreachable: string }) => void log.push(`failed ${problem.unreachable}`),
  } as unknown as ResponseSink<string>;
  return { log, sink, waiting: new WaitingRequest(requestFor('/', 10), response) };
}

test('what came meanwhile goes first, then the caller is told to go on', () => {
  const { log, sink, waiting } = stage();
  const bytes = Buffer.from('one');
  expect(waiting.data(bytes)).toBe(false);
  bytes.fill('x'); // lent for the call only
  waiting.begun(sink);
  expect(waiting.data(Buffer.from('two'))).toBe(true);
  waiting.end([]);
  expect(log).toEqual(['data one', 'drain', 'data two', 'end']);
});

test('a whole request that came meanwhile is sent whole', () => {
  const { log, sink, waiting } = stage();
  waiting.data(Buffer.from('one'));
  waiting.end([]);
  waiting.begun(sink);
  expect(log).toEqual(['data one', 'end']);
});

test('a sink that is full says itself when the caller may go on', () => {
  const { log, sink, waiting } = stage(() => false);
  waiting.data(Buffer.from('one'));
  waiting.begun(sink);
  expect(log).toEqual(['data one']);
});

test('a caller that reads slowly from the start is heeded', () => {
  const { log, sink, waiting } = stage();
  waiting.pause();
  waiting.begun(sink);
  waiting.resume();
  waiting.abort();
  expect(log).toEqual(['pause', 'resume', 'abort']);
});

test('a caller that has left is told nothing', () => {
  const { log, waiting } = stage();
  waiting.abort();
  waiting.fail({ unreachable: 'unreachable' });
  expect([log, waiting.isOver]).toEqual([[], true]);
});

test('a failure is told once', () => {
  const { log, waiting } = stage();
  waiting.data(Buffer.from('one'));
  waiting.fail({ unreachable: 'unreachable' });
  waiting.fail({ unreachable: 'unreachable' });
  expect(log).toEqual(['failed unreachable']);
});
