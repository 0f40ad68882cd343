import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { freePort, ownEnvironment } from '#support/agent-process.ts';
import { checkout } from '#support/fresh-folder.ts';
import { createIdentityFolder } from '#support/identity-folder.ts';
import { createTestCa } from '#support/test-ca.ts';
import { getJson } from '#cli/unix-http.ts';
import { systemClock } from '#runtime/system-clock.ts';

const requests = 4_000;
const longPath = `/${'a'.repeat(2_000)}`;

interface Status {
  readonly counters: { readonly requests: number; readonly accessLinesDropped: number };
}

test('an access log that nobody reads costs lines, never a request or the end of the agent', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-access-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const identity = stack.use(createIdentityFolder());
  const ca = createTestCa({ nowMs: Date.now() });
  identity.write(ca.leaf('cart'), [ca]);
  const [port, nobody] = [await freePort(), await freePort()];
  const socket = join(folder, 'agent.sock');
  const upstream = { workload: 'prices', port: 1, listen: `127.0.0.1:${port}`, protocol: 'http' };
  const config = {
    ...{ workload: 'cart', trustDomain: 'shop.example', drain: '10s', accessLog: {}, admin: { socket } },
    identity: { files: { dir: identity.path } },
    outbound: {
      upstreams: [{ ...upstream, spiffeId: 'spiffe://shop.example/x', endpoints: [`127.0.0.1:${nobody}`] }],
    },
  };
  writeFileSync(join(folder, 'agent.yaml'), JSON.stringify(config));
  const words = [join(checkout, 'bin', 'eastwest.js'), 'agent', '--config', join(folder, 'agent.yaml')];
  execFileSync('mkfifo', [join(folder, 'unread')]);
  const unread = openSync(join(folder, 'unread'), constants.O_RDWR | constants.O_NONBLOCK);
  stack.defer(() => closeSync(unread));
  const agent = spawn(process.execPath, words, { stdio: ['ignore', unread, 'pipe'], env: ownEnvironment() });
  stack.defer(() => void agent.kill('SIGKILL'));
  const ended = once(agent, 'exit');
  const { stderr } = agent;
  if (stderr === null) throw new Error('it was asked for');
  for await (const line of createInterface({ input: stderr })) if (line.includes('agent.ready')) break;
  stderr.resume();

  const http = new Agent({ keepAlive: true, maxSockets: 32 });
  stack.defer(() => http.destroy());
  const ask = (): Promise<number> =>
    new Promise((resolve, reject) => {
      get({ port, host: '127.0.0.1', path: longPath, agent: http }, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
      }).once('error', reject);
    });
  const answers = await Promise.all(Array.from({ length: requests }, ask));
  expect(new Set(answers)).toEqual(new Set([503])); // nobody is there, and each is a line all the same
  const { counters } = (await getJson(socket, '/status', { deadlineMs: 5_000, clock: systemClock })) as Status;
  expect(counters.requests).toBe(requests);
  expect(counters.accessLinesDropped).toBeGreaterThan(100);

  const askedMs = Date.now();
  agent.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(Date.now() - askedMs).toBeLessThan(8_000);
});
