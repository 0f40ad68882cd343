import { describe, expect, test } from 'vitest';
import { problemAnswer } from '#agent/http/answers.ts';
import type { Admission } from '#agent/http/service.ts';
import { createStage, get, limits, okay, quiet, times } from './h1-stage.ts';

describe('a refusal', () => {
  test.each([
    ['GET / HTTP/1.1\r\n\r\n', 400, 'missing-host'],
    ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505, 'unsupported-version'],
    ['PRI / HTTP/1.1\r\nHost: a\r\n\r\n', 501, 'unknown-method'],
    [`GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(30)}\r\n`, 431, 'too-many-headers'],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(limits.head.maxBytes)}`, 431, 'head-too-large'],
    [
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'length-and-transfer-encoding',
    ],
    ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 400, 'bad-transfer-encoding'],
    ['GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400, 'several-hosts'],
    ['GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'host-mismatch'],
  ])('of %j is %i problem+json and the end (A50, A51, A55)', (text, status, reason) => {
    const stage = createStage();
    stage.ask(text);
    const said = stage.caller.take();
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(said).toContain('application/problem+json');
    expect(stage.log).toEqual([`refused ${reason}`]);
    stage.ask(get('/next'));
    expect(stage.caller.take()).toBe('');
    expect(stage.apps).toEqual([]);
  });

  test('for a protected name in Connection is 400 (A49)', () => {
    const stage = createStage();
    stage.ask(get('/', 'Connection: authorization\r\n'));
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 400 /);
    expect(stage.apps).toEqual([]);
  });

  test('of a body that breaks its rules is 400, and the app never sees a whole request (A50)', () => {
    const stage = createStage();
    stage.ask('POST / HTTP/1.1\r\nHost: prices\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX');
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 400 /);
    expect(stage.app.ended).toBe('cut');
    expect(stage.app.take()).not.toContain('0\r\n\r\n');
    expect(stage.log).toEqual(['dial', 'bad-request-body bad-chunk-end']);
    expect(stage.ends).toMatchObject([{ status: 400, answeredBy: 'us', outcome: 'complete' }]);
  });

  test('of an answered HEAD has no content', () => {
    const stage = createStage({ admit: () => ({ kind: 'answer', answer: problemAnswer(403, 'no') }) });
    stage.ask('HEAD / HTTP/1.1\r\nHost: prices\r\n\r\n');
    expect(stage.caller.take()).toMatch(/Content-Length: [1-9][^]*\r\n\r\n$/);
  });

  test('is kept open for a moment, and what still comes is thrown away', async () => {
    const stage = createStage({ admit: () => ({ kind: 'answer', answer: problemAnswer(403, 'no') }) });
    stage.ask(`POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(50_000)}`);
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 403 /);
    stage.ask('x'.repeat(50_000));
    expect(stage.caller.pipe.unsentBytes).toBe(0);
    await stage.wait(2_000);
    expect(stage.caller.pipe.state.cut).toBe(true);
    expect(stage.log).toEqual(['closed']);
  });
});

describe('a judgement that takes its time', () => {
  test('keeps what comes meanwhile', async () => {
    const later = Promise.withResolvers<void>();
    const stage = createStage({
      async admit(_head, pass) {
        await later.promise;
        return pass();
      },
    });
    stage.ask('POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 5\r\n\r\nhe');
    stage.ask('llo');
    expect(stage.apps).toEqual([]);
    later.resolve();
    await stage.wait(0);
    expect(stage.app.take()).toMatch(/hello$/);
    stage.answer(okay());
    expect(stage.caller.take()).toBe(okay());
  });

  test.each(['finishes sending', 'breaks'])('whose caller %s meanwhile ends in a cut', async (how) => {
    const later = Promise.withResolvers<void>();
    const stage = createStage({
      async admit(_head, pass) {
        await later.promise;
        return pass();
      },
    });
    stage.ask('POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 5\r\n\r\nhe');
    if (how === 'breaks') stage.caller.pipe.breakDown();
    else stage.caller.pipe.end();
    stage.deliver();
    later.resolve();
    await stage.wait(0);
    expect(stage.caller.ended).toBe('cut');
    expect(stage.ends).toMatchObject([{ status: 0, outcome: 'cut' }]);
    expect(stage.log.filter((line) => line === 'closed')).toHaveLength(1);
  });
});

describe('draining', () => {
  test('ends an idle connection now', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer(okay());
    stage.connection.drain();
    stage.deliver();
    expect(stage.caller.ended).toBe('end');
  });

  test('lets a request come to its answer, which says close', () => {
    const stage = createStage();
    stage.ask(get());
    stage.connection.drain();
    stage.deliver();
    expect(stage.caller.ended).toBe('no');
    stage.answer(okay());
    expect(stage.caller.take()).toContain('Connection: close');
    expect(stage.caller.ended).toBe('end');
  });

  test('lets a head that has begun be answered', () => {
    const stage = createStage();
    stage.ask(get().slice(0, 20));
    stage.connection.drain();
    stage.ask(get().slice(20));
    stage.answer(okay());
    expect(stage.caller.take()).toContain('Connection: close');
  });

  test('can be cut short', () => {
    const stage = createStage();
    stage.ask(get());
    stage.connection.drain();
    stage.connection.destroy();
    stage.deliver();
    expect(stage.caller.ended).toBe('cut');
    expect(stage.app.ended).toBe('cut');
    expect(stage.ends).toMatchObject([{ outcome: 'cut' }]);
    expect(stage.log).toEqual(['dial', 'closed']);
  });
});

describe('a CONNECT that is granted', () => {
  const connected = 'HTTP/1.1 200 Connection Established\r\n\r\n';

  /** Hands every connection to an echo. */
  function createEcho(drained: string[]) {
    return createStage({
      admit: (): Admission<'no-app'> => ({
        kind: 'hand-over',
        answer: Buffer.from(connected),
        serve(pipe) {
          pipe.reader = { ...quiet, onBytes: (bytes) => void pipe.write(bytes), onEnd: () => pipe.end() };
          pipe.resume();
          return { drain: () => void drained.push('drained') };
        },
      }),
    });
  }

  test('hands the connection over, with what came early', () => {
    const drained: string[] = [];
    const stage = createEcho(drained);
    stage.ask('CONNECT prices:80 HTTP/1.1\r\nHost: prices\r\n\r\nearly');
    return new Promise<void>((resolve) => {
      setImmediate(() => {
        stage.ask(' and late');
        expect(stage.caller.take()).toBe(`${connected}early and late`);
        expect(stage.log).toEqual(['closed']);
        stage.connection.drain();
        expect(drained).toEqual(['drained']);
        stage.connection.destroy();
        stage.deliver();
        expect(stage.caller.ended).toBe('cut');
        resolve();
      });
    });
  });

  test('without early bytes, and while draining', async () => {
    const drained: string[] = [];
    const stage = createEcho(drained);
    stage.ask('CONNECT prices:80 HTTP/1.1\r\nHo');
    stage.connection.drain();
    stage.ask('st: prices\r\n\r\n');
    expect(drained).toEqual(['drained']);
    stage.ask('hello');
    stage.caller.pipe.end();
    stage.deliver();
    expect(stage.caller.take()).toBe(`${connected}hello`);
    await stage.wait(times.idleMs * 3); // no deadline of ours is left
    expect(stage.caller.ended).toBe('end');
  });
});
