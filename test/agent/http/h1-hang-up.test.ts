import { describe, expect, test } from 'vitest';
import { createStage, get, okay } from './h1-stage.ts';

const last = get('/', 'Connection: close\r\n');

function createEnding(): { readonly stage: ReturnType<typeof createStage>; readonly hangUps: () => number } {
  let count = 0;
  const stage = createStage({ onHangUp: () => void (count += 1) });
  return { stage, hangUps: () => count };
}

describe('where a pipe can hang up, the caller’s end is not waited for', () => {
  test.each([
    ['after a request that was said to be the last', last],
    ['after one of HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
  ])('%s', (_when, text) => {
    const { stage, hangUps } = createEnding();
    stage.ask(text);
    stage.answer(okay());
    expect([hangUps(), stage.caller.take().endsWith('\r\n\r\nfine'), stage.caller.ended]).toEqual([1, true, 'end']);
  });

  test('between requests, once the caller has ended', () => {
    const { stage, hangUps } = createEnding();
    stage.ask(get());
    stage.answer(okay());
    stage.caller.pipe.end();
    stage.deliver();
    expect([hangUps(), stage.caller.ended, stage.log]).toEqual([1, 'end', ['dial', 'closed']]);
  });
});

describe('it is waited for', () => {
  test('where more came after the last request: the answer must reach the caller', () => {
    const { stage, hangUps } = createEnding();
    stage.ask(`${last}${get('/more')}`);
    stage.answer(okay());
    expect([hangUps(), stage.caller.ended]).toEqual([0, 'end']);
  });

  test('where it is we who end: the next request may be under way', () => {
    const { stage, hangUps } = createEnding();
    stage.ask(get());
    stage.connection.drain();
    stage.answer(okay());
    expect([hangUps(), stage.caller.ended]).toEqual([0, 'end']);
  });

  test('where the answer came before the whole body', () => {
    const { stage, hangUps } = createEnding();
    stage.ask('POST / HTTP/1.1\r\nHost: prices\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhe');
    stage.answer(okay());
    expect([hangUps(), stage.caller.ended]).toEqual([0, 'end']);
  });
});
