import { describe, expect, test } from 'vitest';
import { serveDetected } from '#agent/protocol/serve-detected.ts';
import { createDetectionStage } from '#support/detection-stage.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

describe('a connection is served by what its first bytes are', () => {
  test.each([
    ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'http'],
    [`${preface}\0\0`, 'http2'],
  ])('%j by %s, with every byte of it', (text, expected) => {
    const stage = createDetectionStage();
    serveDetected(stage.pipe, stage.servers);
    stage.say(text.slice(0, 3));
    expect(stage.story).toEqual([]);
    stage.say(text.slice(3));
    stage.say('more');
    expect(stage.story).toEqual([expected]);
    expect(stage.served.bytes.toString('latin1')).toBe(`${text}more`);
    expect(stage.clock.waiting()).toBe(0);
  });

  test('what is no HTTP goes to the app as it came, and a half-close after it', () => {
    const stage = createDetectionStage();
    serveDetected(stage.pipe, stage.servers);
    stage.say('\x16\x03\x01');
    stage.say('late');
    stage.end();
    expect(stage.story).toEqual(['asked']);
    stage.open();
    expect(stage.story).toEqual(['asked', 'joined']);
    expect(stage.served.bytes.toString('latin1')).toBe('\x16\x03\x01late');
    expect(stage.served.story).toEqual(['bytes', 'end']);
  });

  test('where only HTTP is spoken it is given to HTTP/1.1, which refuses it', () => {
    const stage = createDetectionStage({ only: 'http' });
    serveDetected(stage.pipe, stage.servers);
    stage.say('\x16\x03\x01');
    expect(stage.story).toEqual(['http']);
  });

  test('a caller that ends without a word is opaque, or an HTTP connection without a request', () => {
    for (const [only, expected] of [
      ['any', 'asked'],
      ['http', 'http'],
    ] as const) {
      const stage = createDetectionStage({ only });
      serveDetected(stage.pipe, stage.servers);
      stage.end();
      expect(stage.story).toEqual([expected]);
    }
  });

  test('an app that is away: the caller sees a break', () => {
    const stage = createDetectionStage();
    serveDetected(stage.pipe, stage.servers);
    stage.say('\0');
    stage.open('away');
    expect(stage.callerSaw.story).toEqual(['cut']);
    expect(stage.story).toEqual(['asked', 'told']);
    expect(stage.clock.waiting()).toBe(0);
  });
});

describe('a slow caller', () => {
  test('whose first line may become HTTP passes as opaque after a while, watched', async () => {
    const stage = createDetectionStage();
    serveDetected(stage.pipe, stage.servers);
    stage.say('x');
    await stage.clock.advance(499);
    expect(stage.story).toEqual([]);
    await stage.clock.advance(1);
    stage.open();
    expect(stage.story).toEqual(['asked', 'joined']);
    stage.say('yz HTTP/1.1\r\n');
    expect(stage.served.bytes.toString()).toBe('x');
    expect(stage.callerSaw.story).toEqual(['cut']);
  });

  test('that is opaque after all is not watched beyond its first line', async () => {
    const stage = createDetectionStage();
    serveDetected(stage.pipe, stage.servers);
    stage.say('x');
    await stage.clock.advance(500);
    stage.open();
    stage.say('y\nGET / HTTP/1.1\r\n');
    expect(stage.served.bytes.toString()).toBe('xy\nGET / HTTP/1.1\r\n');
  });

  test('of an HTTP port is HTTP’s', async () => {
    const stage = createDetectionStage({ only: 'http' });
    serveDetected(stage.pipe, stage.servers);
    stage.say('GE');
    await stage.clock.advance(500);
    expect(stage.story).toEqual(['http']);
    expect(stage.served.bytes.toString()).toBe('GE');
  });

  test('that sends its first line byte by byte has no more time than another (A54)', async () => {
    const stage = createDetectionStage({ only: 'http' });
    serveDetected(stage.pipe, stage.servers);
    stage.say('G');
    await stage.clock.advance(400);
    stage.say('E');
    await stage.clock.advance(100);
    expect(stage.story).toEqual(['http']);
  });

  test('that never says anything to an HTTP port is ended', async () => {
    const stage = createDetectionStage({ only: 'http' });
    serveDetected(stage.pipe, stage.servers);
    await stage.clock.advance(10_000);
    stage.deliver();
    expect(stage.callerSaw.story).toEqual(['end']);
  });
});

describe('told to stop', () => {
  test('an idle connection ends, one that is served is drained by its server', () => {
    const idle = createDetectionStage();
    serveDetected(idle.pipe, idle.servers).drain();
    idle.deliver();
    expect(idle.callerSaw.story).toEqual(['end']);

    const served = createDetectionStage();
    const connection = serveDetected(served.pipe, served.servers);
    served.say('GET / HTTP/1.1\r\n\r\n');
    connection.drain();
    connection.destroy();
    expect(served.story).toEqual(['http', 'drained', 'destroyed']);
  });

  test('one whose first line is still coming is served and then drained', () => {
    const stage = createDetectionStage();
    const connection = serveDetected(stage.pipe, stage.servers);
    stage.say('POST / HT');
    connection.drain();
    stage.say('TP/1.1\r\n\r\n');
    expect(stage.story).toEqual(['http', 'drained']);
  });

  test('destroyed before anything is known, it is cut', () => {
    const stage = createDetectionStage();
    serveDetected(stage.pipe, stage.servers).destroy();
    stage.deliver();
    expect(stage.callerSaw.story).toEqual(['cut']);
    expect(stage.clock.waiting()).toBe(0);
  });
});
