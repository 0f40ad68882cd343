import { describe, expect, test } from 'vitest';
import { createStage, get, okay, quiet, times } from './h1-stage.ts';

describe('deadlines', () => {
  test('a connection without a request is ended (A54)', async () => {
    const stage = createStage();
    await stage.wait(times.firstMs + 500);
    expect(stage.caller.take()).toBe('');
    expect(stage.caller.ended).toBe('end');
  });

  test('a head that takes too long is 408, however steadily it drips (A54)', async () => {
    const stage = createStage();
    for (let second = 0; second < 5; second += 1) {
      stage.ask(second === 0 ? 'GET / HTTP/1.1\r\nHost: a' : 'a');
      await stage.wait(1_000);
    }
    await stage.wait(1_000);
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 408 /);
    expect(stage.caller.ended).toBe('end');
  });

  test('an idle connection is ended, and not before its time', async () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer(okay());
    stage.caller.take();
    await stage.wait(times.idleMs - 1_000);
    expect(stage.caller.ended).toBe('no');
    await stage.wait(2_000);
    expect(stage.caller.ended).toBe('end');
    expect(stage.caller.take()).toBe('');
  });

  test('a body that stops coming is 408, and the app does not see a whole request (A54)', async () => {
    const stage = createStage();
    stage.ask('POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 5\r\n\r\nhe');
    await stage.wait(times.stallMs - 1_000);
    stage.ask('l');
    await stage.wait(times.stallMs - 1_000);
    expect(stage.caller.take()).toBe('');
    await stage.wait(2_000);
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 408 /);
    expect(stage.app.ended).toBe('cut');
    expect(stage.ends).toMatchObject([{ status: 408, answeredBy: 'us', outcome: 'complete' }]);
  });

  test('an app that does not answer is 504', async () => {
    const stage = createStage();
    stage.ask(get());
    await stage.wait(times.stallMs + 1_000);
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 504 /);
    expect(stage.app.ended).toBe('cut');
    expect(stage.log.slice(0, 2)).toEqual(['dial', 'upstream-timeout']);
  });

  test('an app that stops in the middle of its answer is cut, and so is the caller', async () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfi');
    await stage.wait(times.stallMs + 1_000);
    expect(stage.caller.take()).toMatch(/fi$/);
    expect(stage.caller.ended).toBe('cut');
    expect(stage.ends).toMatchObject([{ status: 200, outcome: 'cut' }]);
  });

  test('a caller that does not read is cut; one that reads slowly is not (A54)', async () => {
    const stage = createStage({ pipes: { fullBytes: 1_000, pieceBytes: 100 } });
    stage.ask(get());
    stage.caller.pipe.pause();
    stage.answer(`HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n${'x'.repeat(10_000)}`);
    expect(stage.app.pipe.unsentBytes).toBeGreaterThan(5_000); // not read: the caller's pace holds the app back
    for (let round = 0; round < 4; round += 1) {
      await stage.wait(times.stallMs - 1_000);
      stage.caller.pipe.resume();
      stage.caller.pipe.reader = { ...quiet, onBytes: () => stage.caller.pipe.pause() };
      stage.deliver();
    }
    expect(stage.ends).toEqual([]);
    await stage.wait(times.stallMs * 2);
    expect(stage.ends).toMatchObject([{ status: 200, outcome: 'cut' }]);
    expect(stage.app.ended).toBe('cut');
  });

  test('a last answer is left to a slow reader while it reads, and then no longer (A54)', async () => {
    const stage = createStage({ pipes: { fullBytes: 1_000_000, pieceBytes: 100 } });
    stage.ask(get('/', 'Connection: close\r\n'));
    stage.caller.pipe.pause();
    stage.answer(okay('x'.repeat(10_000)));
    stage.caller.pipe.reader = { ...quiet, onBytes: () => stage.caller.pipe.pause() };
    for (let round = 0; round < 4; round += 1) {
      await stage.wait(times.stallMs - 1_000);
      stage.caller.pipe.resume();
      stage.deliver();
    }
    expect(stage.log).toEqual(['dial']);
    await stage.wait(times.stallMs * 2);
    expect(stage.log).toEqual(['dial', 'closed']);
  });
});
