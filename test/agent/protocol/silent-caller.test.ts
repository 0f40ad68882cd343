import { describe, expect, test } from 'vitest';
import { serveDetected } from '#agent/protocol/serve-detected.ts';
import { createDetectionStage } from '#support/detection-stage.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

describe('a silent caller', () => {
  async function silent() {
    const stage = createDetectionStage();
    const connection = serveDetected(stage.pipe, stage.servers);
    await stage.clock.advance(49);
    expect(stage.story).toEqual([]);
    await stage.clock.advance(1);
    expect(stage.story).toEqual(['asked']);
    return { ...stage, connection };
  }

  test('hears a server that speaks first', async () => {
    const stage = await silent();
    stage.open();
    expect(stage.story).toEqual(['asked']);
    stage.appSays('220 mail\r\n');
    expect(stage.story).toEqual(['asked', 'joined']);
    expect(stage.callerSaw.bytes.toString()).toBe('220 mail\r\n');
    stage.say('EHLO a\r\n');
    expect(stage.served.bytes.toString()).toBe('EHLO a\r\n');
  });

  test('that speaks HTTP after all is served so, and the app’s connection is let go', async () => {
    const stage = await silent();
    stage.open();
    stage.say('GET / HTTP/1.1\r\n\r\n');
    expect(stage.story).toEqual(['asked', 'let go', 'http']);
    expect(stage.served.bytes.toString()).toBe('GET / HTTP/1.1\r\n\r\n');
    expect(stage.appSaw.bytes).toHaveLength(0);
  });

  test('that speaks HTTP while the app is still being dialled, too', async () => {
    const stage = await silent();
    stage.say('GET / HTTP/1.1\r\n\r\n');
    expect(stage.story).toEqual(['asked', 'stopped asking', 'http']);
  });

  test('that speaks something else has the app at once', async () => {
    const stage = await silent();
    stage.open();
    stage.say('\0\0');
    expect(stage.story).toEqual(['asked', 'joined']);
    expect(stage.served.bytes).toEqual(Buffer.from('\0\0'));
  });

  test('A48: cannot wait until it is taken for opaque and then send headers unread', async () => {
    const stage = await silent();
    stage.open();
    stage.appSays('hello\r\n');
    stage.say('list / HT');
    expect(stage.served.bytes.toString()).toBe('list / HT');
    stage.say('TP/1.1\r\nX-Forwarded-Client-Cert: forged\r\n\r\n');
    expect(stage.served.bytes.toString()).toBe('list / HT');
    expect(stage.callerSaw.story.at(-1)).toBe('cut');
    expect(stage.served.story.at(-1)).toBe('cut');
  });

  test('A48: nor use the SETTINGS that an HTTP/2 server says first', async () => {
    const stage = await silent();
    stage.open();
    stage.appSays('\0\0\0\x04\0\0\0\0\0');
    expect(stage.story).toEqual(['asked', 'let go']);
    stage.say(preface);
    expect(stage.story).toEqual(['asked', 'let go', 'http2']);
    expect(stage.callerSaw.bytes).toHaveLength(0);
  });

  test.each([
    ['speaks something else after all', '\0\0'],
    ['leaves in order', undefined],
  ])('of an HTTP/2 server that %s is not left waiting: the app is opened anew', async (_case, says) => {
    const stage = await silent();
    stage.open();
    stage.appSays('\0\0\0\x04\0\0\0\0\0');
    if (says === undefined) stage.end();
    else stage.say(says);
    expect(stage.story).toEqual(['asked', 'let go', 'asked']);
    stage.open('away');
    expect(stage.callerSaw.story.at(-1)).toBe('cut');
    expect(stage.clock.waiting()).toBe(0);
  });

  test('is ended when nobody has anything to say', async () => {
    const stage = await silent();
    stage.open();
    stage.appSays('\0\0\0\x04\0\0\0\0\0');
    await stage.clock.advance(10_000);
    stage.deliver();
    expect(stage.callerSaw.story).toEqual(['end']);
    await stage.clock.advance(1_000);
    stage.deliver();
    expect(stage.callerSaw.story).toEqual(['end', 'cut']);
    expect(stage.clock.waiting()).toBe(0);
  });

  test('sees the end of an app that ends without a word', async () => {
    const stage = await silent();
    stage.open();
    stage.app.end();
    stage.deliver();
    expect(stage.story).toEqual(['asked', 'joined']);
    expect(stage.callerSaw.story).toEqual(['end']);
  });

  test('sees a break when the app breaks', async () => {
    const stage = await silent();
    stage.open();
    stage.app.breakDown();
    stage.deliver();
    expect(stage.callerSaw.story).toEqual(['cut']);
  });

  test.each([['open'], ['dialled']])('that leaves lets go of an app that was just %s', async (when) => {
    const stage = await silent();
    if (when === 'open') stage.open();
    stage.leave();
    expect(stage.story).toEqual(['asked', when === 'open' ? 'let go' : 'stopped asking']);
    expect(stage.clock.waiting()).toBe(0);
  });
});

describe('a silent caller for whom there is no far end', () => {
  async function refused() {
    const stage = createDetectionStage();
    const connection = serveDetected(stage.pipe, stage.servers);
    await stage.clock.advance(50);
    stage.open('away');
    expect(stage.story, 'nobody wanted it yet').toEqual(['asked']);
    return { ...stage, connection };
  }

  test('and who speaks HTTP is never told of', async () => {
    const stage = await refused();
    stage.say('GET / HTTP/1.1\r\n\r\n');
    expect(stage.story).toEqual(['asked', 'http']);
    expect(stage.clock.waiting()).toBe(0);
  });

  test('and who leaves is never told of', async () => {
    const stage = await refused();
    stage.leave();
    expect(stage.story).toEqual(['asked']);
    expect(stage.clock.waiting()).toBe(0);
  });

  test('and who ends without a word is never told of', async () => {
    const stage = await refused();
    stage.end();
    expect(stage.story).toEqual(['asked']);
    expect(stage.callerSaw.story[0]).toBe('end');
  });

  test('and whose first line does not come whole is HTTP’s', async () => {
    const stage = await refused();
    stage.say('GE');
    await stage.clock.advance(500);
    expect(stage.story).toEqual(['asked', 'http']);
  });

  test('is asked for again by who speaks something else, and cut: that is told', async () => {
    const stage = await refused();
    stage.say('\0');
    expect(stage.story).toEqual(['asked', 'asked']);
    stage.open('away');
    expect(stage.story).toEqual(['asked', 'asked', 'told']);
    expect(stage.callerSaw.story).toEqual(['cut']);
    expect(stage.clock.waiting()).toBe(0);
  });

  test('has it where it can be had by then', async () => {
    const stage = await refused();
    stage.say('\0');
    stage.open();
    expect(stage.story).toEqual(['asked', 'asked', 'joined']);
  });

  test('and who says nothing at all is told of when it is ended for that', async () => {
    const stage = await refused();
    await stage.clock.advance(10_000);
    stage.deliver();
    expect(stage.story).toEqual(['asked', 'told']);
    expect(stage.callerSaw.story).toEqual(['end']);
  });

  test('any more: the open one is let go, and asked for under the new rules', async () => {
    const stage = createDetectionStage();
    const connection = serveDetected(stage.pipe, stage.servers);
    await stage.clock.advance(50);
    stage.open();
    connection.reconsider?.();
    expect(stage.story).toEqual(['asked']);
    stage.revoke();
    connection.reconsider?.();
    expect(stage.story).toEqual(['asked', 'let go', 'asked']);
    stage.open('away');
    stage.say('GET / HTTP/1.1\r\n\r\n');
    expect(stage.story).toEqual(['asked', 'let go', 'asked', 'http']);
  });
});
