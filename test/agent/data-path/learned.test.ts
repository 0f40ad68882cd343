import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { LogLearner } from '#cli/policy/learn/log-learner.ts';
import { learnedFile } from '#cli/policy/learn/learned-file.ts';
import { send } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

/** What `eastwest policy learn` writes of the lines of an agent. */
function learned(lines: readonly object[]): string {
  const options = { to: undefined, sinceMs: -Infinity, minValues: 3, includeDenied: false, current: undefined };
  const learner = new LogLearner(options);
  for (const line of lines) learner.take(JSON.stringify(line));
  return learnedFile(learner);
}

test('what was learned from an agent’s access log admits what it admitted, and nothing else', async () => {
  const app = await world.httpApp((incoming, reply) => void incoming.resume().on('end', () => reply.end('fine')));
  const before = await world.pair(app);
  for (const path of ['/prices/1?currency=EUR', '/prices/2', '/prices/3', '/health']) await send(before.port, { path });
  await send(before.port, { method: 'POST', path: '/refunds', body: 'x' });
  before.prices.push(
    'apiVersion: eastwest.dev/v1\nkind: AuthorizationPolicy\nmetadata: { name: no }\nspec: { action: DENY, rules: [{ to: [{ operation: { paths: [/secret] } }] }] }\n',
  );
  expect((await send(before.port, { path: '/secret' })).status).toBe(403);
  await expect.poll(() => before.prices.lines.length).toBe(6);
  const policies = learned(before.prices.lines);

  const { port, prices } = await world.pair(app, { allow: [] });
  prices.push(policies);
  const statusOf = async (method: string, path: string): Promise<number> => (await send(port, { method, path })).status;
  expect(await statusOf('GET', '/prices/1')).toBe(200);
  expect(await statusOf('GET', '/prices/77?currency=EUR')).toBe(200);
  expect(await statusOf('GET', '/health')).toBe(200);
  expect(await statusOf('POST', '/refunds')).toBe(200);
  for (const [method, path] of [
    ['POST', '/prices/1'],
    ['GET', '/refunds'],
    ['GET', '/prices'],
    ['GET', '/prices/1/x'],
    ['GET', '/secret'],
  ] as const) {
    expect(await statusOf(method, path), `${method} ${path}`).toBe(403);
  }
});

test('so does what was learned from a TCP stream', async () => {
  const app = await world.tcpApp((socket) => void socket.pipe(socket));
  const before = await world.pair(app, { protocol: 'tcp' });
  const stream = connect(before.port, '127.0.0.1');
  stream.end('hello');
  await once(stream.resume(), 'close');
  await expect.poll(() => before.prices.lines).toHaveLength(1);

  const { port, prices } = await world.pair(app, { protocol: 'tcp', allow: [] });
  prices.push(learned(before.prices.lines));
  const again = connect(port, '127.0.0.1');
  again.write('hello');
  expect(String((await once(again, 'data'))[0])).toBe('hello');
  again.destroy();
});
