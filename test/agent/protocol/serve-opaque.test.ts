import { expect, test } from 'vitest';
import { serveOpaque } from '#agent/protocol/serve-opaque.ts';
import { createDetectionStage } from '#support/detection-stage.ts';

test('an opaque port opens the app at once and reads nothing before', () => {
  const stage = createDetectionStage();
  serveOpaque(stage.pipe, stage.servers.openOpaque!);
  expect(stage.story).toEqual(['asked']);
  stage.say('GET / HTTP/1.1\r\n');
  expect(stage.served.bytes).toHaveLength(0);
  stage.open();
  stage.say('');
  expect(stage.story).toEqual(['asked', 'joined']);
  expect(stage.served.bytes.toString()).toBe('GET / HTTP/1.1\r\n');
});

test('without a far end the caller is cut, and that is told', () => {
  const stage = createDetectionStage();
  serveOpaque(stage.pipe, stage.servers.openOpaque!);
  stage.open('away');
  expect(stage.callerSaw.story).toEqual(['cut']);
  expect(stage.story).toEqual(['asked', 'told']);
});

test.each(['breaks off', 'is destroyed'])('a caller that %s meanwhile stops the attempt', (how) => {
  const stage = createDetectionStage();
  const connection = serveOpaque(stage.pipe, stage.servers.openOpaque!);
  connection.drain(); // changes nothing: the stream was promised
  if (how === 'is destroyed') connection.destroy();
  else stage.leave();
  stage.deliver();
  expect(stage.story).toEqual(['asked', 'stopped asking']);
});
