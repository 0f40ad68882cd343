import { createServer } from 'node:http';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { ToldCallers } from '#agent/admin/told-callers.ts';
import { PolicyCompiler } from '#agent/policy/policy-compiler.ts';
import { mtlsModeOf } from '#policy/decide.ts';
import { readPolicies } from '#policy/documents.ts';
import { readDocument } from '#runtime/documents.ts';
import { eastwest } from '#support/command-line.ts';
import { freshFolder, type FreshFolder } from '#support/fresh-folder.ts';
import { callerRecord, portRecord, tally } from '#support/plaintext-records.ts';

const nowMs = Date.UTC(2026, 10, 29, 9);
const hourMs = 3_600_000;
const day = 24 * hourMs;

let folder: FreshFolder;
beforeEach(() => {
  folder = freshFolder();
  return () => folder[Symbol.asyncDispose]();
});

const told = (changes: Partial<ToldCallers> = {}): ToldCallers => ({
  ...{ workload: 'prices', spiffeId: 'spiffe://shop.example/ns/shop/sa/prices', nowMs, document: null },
  ...{ ports: [], unobserved: [], mtlsOnly: [] },
  ...changes,
});
const port = (changes: Parameters<typeof portRecord>[0] = {}) => portRecord({ sinceMs: nowMs - 2 * day, ...changes });
const caller = (address: string, agoMs: number, changes: Parameters<typeof callerRecord>[1] = {}) =>
  callerRecord(address, { lastSeenMs: nowMs - agoMs, lastAdmittedMs: nowMs - agoMs, ...changes });
const refused = (address: string) => callerRecord(address, { admitted: 0, refused: 3, lastAdmittedMs: null });

/** Serves what an agent tells on its admin socket; resolves with the socket's name. */
async function agent(answer: unknown, name = 'agent.sock'): Promise<string> {
  const server = createServer((request, reply) => {
    reply.statusCode = request.url === '/plaintext-callers' ? 200 : 404;
    reply.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(join(folder.path, name), resolve));
  onTestFinished(() => void server.close());
  return name;
}

async function check(answer: ToldCallers, options = ''): Promise<{ code: number | null; stdout: string }> {
  const socket = await agent(answer);
  const { code, stdout, stderr } = await eastwest(`strict-check --agent ${socket}${options}`, folder.path);
  expect(stderr).toBe('');
  return { code, stdout };
}

describe('strict is safe (0)', () => {
  test.each([
    ['workload', { workload: 'prices }, namespace: evil, x: {' }],
    ['namespace', { spiffeId: 'spiffe://shop.example/ns/a, labels: { b: c }/sa/prices' }],
    ['document', { document: 'shop/x }\nspec: { mtls: { mode: PERMISSIVE } }\n---\n' }],
    ['number', { document: 'shop/123' }],
  ])('an answer of an agent cannot write into the document: %s', async (_what, changes) => {
    const { stdout } = await check(told({ ports: [port({ callers: [caller('10.0.0.1', day + 1)] })], ...changes }));
    const [, document = ''] = stdout.split('with\n\n');
    const read = readDocument(document);
    if (!read.ok) throw new Error(JSON.stringify(read.reason));
    const text = expect.any(String) as unknown;
    expect(read.value).toEqual({
      ...{ apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', metadata: { name: text, namespace: text } },
      spec: { selector: { matchLabels: { app: text } }, mtls: { mode: 'STRICT' } },
    });
  });

  test('where nobody was let in for long enough, and it says what to apply', async () => {
    const { code, stdout } = await check(
      told({
        ports: [port({ callers: [refused('10.0.0.9'), caller('10.0.0.1', day + 1)] })],
        mtlsOnly: [7009],
      }),
    );
    expect(code).toBe(0);
    expect(stdout).toContain(`prices
  port 7002: PERMISSIVE, observed so for 48h 00m, since 2026-11-27T09:00:00.000Z
    plaintext callers, let in once, not lately:
      10.0.0.1: last 24h 00m ago, 1 connection, 1 let in, HTTP/1.1, GET /a
    plaintext callers, refused anyway:
      10.0.0.9: last`);
    expect(stdout).toContain('  port 7009: mTLS only, it has no listener of its own\n\nyes: strict is safe\n');
    const [, document] = stdout.split('with\n\n');
    const read = readPolicies(document!, 'strict.yaml');
    if (!read.ok) throw new Error(JSON.stringify(read.reason));
    const place = { namespace: 'shop', name: 'prices' };
    const local = { app: { host: '127.0.0.1', port: 1 }, allow: [], protocol: 'http', listen: undefined } as const;
    const compiled = new PolicyCompiler([{ ...local, port: 7002, mode: 'PERMISSIVE' }]).compile({
      documents: read.value.map(({ raw }) => raw),
      workload: { ...place, trustDomain: 'shop.example', labels: { app: 'prices' }, ports: undefined },
    });
    expect(mtlsModeOf(compiled.policy!, 7002)).toBe('STRICT');
  });

  test.each([
    ['every port is strict', told({ ports: [port({ mode: 'STRICT', callers: [refused('10.0.0.9')] })] })],
    ['no port has a listener of its own', told({ mtlsOnly: [7002] })],
  ])('where %s, and then there is nothing to apply', async (_why, answer) => {
    const { code, stdout } = await check(answer);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nyes: every port takes mTLS only already\n$/);
  });

  test('by as much time as --for says', async () => {
    const answer = told({ ports: [port({ sinceMs: nowMs - hourMs, callers: [caller('10.0.0.1', hourMs)] })] });
    const socket = await agent(answer);
    expect((await eastwest(`strict-check --agent ${socket} --for 30m`, folder.path)).code).toBe(0);
    expect((await eastwest(`strict-check --agent ${socket}`, folder.path)).code).toBe(1);
  });
});

describe('somebody would break (1)', () => {
  test('who was let in, with what they asked; refused ones would not', async () => {
    const answer = told({
      ports: [port({ callers: [caller('10.0.0.1', 60_000), refused('10.0.0.9'), caller('::2', 5_000)] })],
    });
    const { code, stdout } = await check(answer);
    expect(code).toBe(1);
    expect(stdout).toContain(`    plaintext callers, let in, would be cut off:
      ::2: last 5s ago, 1 connection, 1 let in, HTTP/1.1, GET /a
      10.0.0.1: last 60s ago`);
    expect(stdout).toMatch(/\nno: strict would break\n {2}::2 at prices:7002\n {2}10\.0\.0\.1 at prices:7002\n$/);
  });

  test('who was let in long ago and is still connected', async () => {
    const open = caller('10.0.0.1', 30 * day, { open: 1, protocols: ['opaque'], examples: [] });
    const { code, stdout } = await check(told({ ports: [port({ callers: [open] })] }));
    expect(code).toBe(1);
    expect(stdout).toContain('1 connection (1 open now)');
  });

  test('also where much else cannot be told; ports that are safe may become strict meanwhile', async () => {
    const one = port({ port: 7003, callers: [caller('10.0.0.1', 5_000)], overflow: tally({ lastAdmittedMs: nowMs }) });
    const answer = told({ document: 'shop/lax', ports: [port(), one, port({ port: 7004, sinceMs: nowMs })] });
    const { code, stdout } = await check(answer);
    expect(code).toBe(1);
    expect(stdout).toContain('and others, for whom the ledger had no room');
    expect(stdout).toContain('next for prices: `eastwest policy apply FILE`, in the place of shop/lax, with');
    expect(stdout).toContain('metadata:\n  name: lax\n  namespace: shop\n');
    expect(stdout).toMatch(/portLevelMtls:\n {4}"7003":\n {6}mode: PERMISSIVE\n {4}"7004":\n {6}mode: PERMISSIVE\n$/);
  });

  test('at one replica, so that the port stays permissive at all', async () => {
    const [quiet, busy] = [
      await agent(told({ ports: [port()] }), 'a.sock'),
      await agent(told({ ports: [port({ callers: [caller('10.0.0.1', 5)] })] }), 'b.sock'),
    ];
    const { code, stdout } = await eastwest(`strict-check --agent ${quiet} --agent ${busy}`, folder.path);
    expect(code).toBe(1);
    expect(stdout).not.toContain('next for');
  });
});

describe('it cannot be told (2)', () => {
  const lastAdmittedMs = nowMs - 1;
  test.each([
    [
      'observed for too short',
      { ports: [port({ sinceMs: nowMs - hourMs })] },
      /ask again after 2026-11-30T08:00:00\.000Z/,
    ],
    ['more callers than have room', { ports: [port({ overflow: tally({ lastAdmittedMs }) })] }, /cannot tell who/],
    ['one of them still connected', { ports: [port({ overflow: tally({ open: 1 }) })] }, /cannot tell who/],
    ['not observed yet', { spiffeId: null, unobserved: [7002] }, /port 7002: not observed yet, the agent is starting/],
    ['observed by a clock that went back', { ports: [port({ sinceMs: nowMs + hourMs })] }, /cannot tell yet/],
  ])('%s', async (_why, changes, says) => {
    const { code, stdout } = await check(told(changes));
    expect(code).toBe(2);
    expect(stdout).toMatch(says);
    expect(stdout).toMatch(/\ncannot tell: see above what each port needs\n/);
  });

  test('strangers who were refused anyway fill no ledger that matters', async () => {
    const overflow = tally({ admitted: 0, refused: 9, lastAdmittedMs: null });
    expect((await check(told({ ports: [port({ overflow })] }))).code).toBe(0);
  });

  test.each([
    ['is not there', undefined],
    ['answers something else', { workload: 'prices' }],
    ['knows no ports as they should be', { ...told(), ports: [{ port: 7002 }] }],
  ])('an agent %s', async (_what, answer) => {
    const good = await agent(told({ ports: [port()] }), 'good.sock');
    if (answer !== undefined) await agent(answer, 'other.sock');
    const { code, stdout } = await eastwest(`strict-check --agent ${good} --agent other.sock`, folder.path);
    expect(code).toBe(2);
    expect(stdout).toMatch(/\nother\.sock did not answer\n\ncannot tell: ask again when every agent answers/);
    expect(stdout).not.toContain('next for');
  });

  test('no mesh runs: that is no verdict', async () => {
    const { code, stderr } = await eastwest('strict-check', folder.path);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: no mesh runs from .*\nfix: /);
  });

  test('a time that is none', async () => {
    const { code, stderr } = await eastwest('strict-check --for soon', folder.path);
    expect([code, stderr]).toEqual([2, 'error: --for soon is no time\nfix: write 30m, 24h or 168h\n']);
  });
});

test('nothing that a caller sends steers the terminal', async () => {
  const nasty = caller('10.0.0.1', 5, { examples: ['GET /\u001B[2J\u202Ea', 'GET /\nyes: strict is safe'] });
  const { stdout } = await check(told({ workload: 'pri\u001B[31mces', ports: [port({ callers: [nasty] })] }));
  expect(stdout).not.toMatch(/\u001B|\u202E/u);
  expect(stdout).not.toMatch(/^yes: /m);
});

test('--json says the same as data', async () => {
  const answer = told({
    ports: [port({ callers: [caller('10.0.0.1', 5), refused('10.0.0.9')] }), port({ port: 7003 })],
  });
  const { code, stdout } = await check(answer, ' --json');
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ answer: 'breaks', forMs: day, unanswered: [] },
    agents: [
      {
        workload: 'prices',
        ports: [
          {
            ...{ port: 7002, mode: 'PERMISSIVE', since: '2026-11-27T09:00:00.000Z', verdict: 'breaks' },
            wouldBreak: [{ address: '10.0.0.1', examples: ['GET /a'] }],
            refused: [{ address: '10.0.0.9' }],
          },
          { port: 7003, verdict: 'safe' },
        ],
      },
    ],
    documents: [{ workload: 'prices', text: expect.stringContaining('"7002":\n      mode: PERMISSIVE\n') }],
  });
});
