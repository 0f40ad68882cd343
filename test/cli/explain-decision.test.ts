import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Explanation } from '#policy/explain.ts';
import { callOf, documentsOf, explained, policy } from '#support/asked-policies.ts';
import { eastwest } from '#support/command-line.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { freshFolder } from '#support/fresh-folder.ts';
import { until } from '#support/until.ts';

const toldOf = (explanation: Explanation, reason = 'no-rule-matches') =>
  JSON.stringify({ decisionId: 'W4OCt4cT3T9w', atMs: 0, reason, explanation });
const known: RequestListener = (_request, reply) =>
  reply.end(toldOf(explained(documentsOf(policy('a', 'rules: []')), callOf())));
const unknown: RequestListener = (_request, reply) => reply.writeHead(404).end('no such decision\n');

/** Stands for an agent's admin socket; its path. */
async function agentSocket(answer: RequestListener): Promise<string> {
  const folder = freshFolder();
  const server = createServer(answer);
  const socket = join(folder.path, 'agent.sock');
  server.listen(socket);
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await folder[Symbol.asyncDispose]();
  });
  return socket;
}

describe('eastwest explain DECISION-ID (M8)', () => {
  test('has the answer of the agent that knows it, and waits for no other', async () => {
    let hung = 0;
    const gone = Promise.withResolvers<void>();
    const hangs: RequestListener = (request) => {
      hung += 1;
      request.socket.once('close', () => gone.resolve());
    };
    const sockets = [await agentSocket(hangs), await agentSocket(unknown), await agentSocket(known)];
    const words = ['explain', 'W4OCt4cT3T9w', ...sockets.flatMap((socket) => ['--agent', socket])];
    const { code, stdout } = await eastwest(words, '/', createFakeClock(0)); // a clock that never strikes
    expect({ code, hung }).toEqual({ code: 1, hung: 1 });
    expect(stdout).toMatch(/^W4OCt4cT3T9w, [^ ]+: no-rule-matches\n\nrefused: GET/);
    await gone.promise; // nor does it keep that connection
  });

  test('says who did not answer in time, who sent too much and who broke off', async () => {
    const clock = createFakeClock(0);
    let begun = false;
    const slow = await agentSocket((_request, reply) => {
      reply.write('{');
      begun = true;
    });
    const endless = await agentSocket((_request, reply) => {
      const more = (error?: Error | null): void => {
        if (!error) reply.write(Buffer.alloc(1024 * 1024, ' '), more);
      };
      more();
    });
    const broken = await agentSocket((request) => request.socket.destroy());
    const sockets = [slow, endless, broken, await agentSocket(unknown)];
    const words = ['explain', 'nobody', ...sockets.flatMap((socket) => ['--agent', socket])];
    const asked = eastwest(words, '/', clock);
    await until(() => begun && clock.waiting() === 1); // all others have been told
    await clock.advance(5_000);
    const { code, stderr } = await asked;
    expect(code, '1 would say that it was refused').toBe(2);
    expect(stderr.split('\n')).toEqual([
      'error: no agent that answered knows the decision nobody',
      `no answer from ${slow}: it is not there in 5000 ms`,
      `no answer from ${endless}: it has more than 33554432 bytes`,
      expect.stringMatching(`^no answer from ${broken}: `),
      'fix: name the agent that refused: --agent SOCKET, its `admin.socket`',
      '',
    ]);
  });

  test('prints an explanation of some megabytes', async () => {
    const path = `/${'long'.repeat(200)}`;
    const hundreds = (from: number) =>
      documentsOf(
        ...Array.from({ length: 700 }, (_none, index) =>
          policy(`p${from + index}`, `rules: [{ to: [{ operation: { paths: [${path}] } }] }]`),
        ),
      );
    const documents = [...hundreds(0), ...hundreds(700)];
    const text = toldOf(explained(documents, callOf()));
    const socket = await agentSocket((_request, reply) => reply.end(text));
    const { code, stdout } = await eastwest(['explain', 'W4OCt4cT3T9w', '--agent', socket, '--json'], '/');
    expect(code).toBe(1);
    expect(stdout.length).toBeGreaterThan(1024 * 1024);
  });
});
