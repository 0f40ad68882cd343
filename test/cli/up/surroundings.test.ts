import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Edge } from '#cli/edge.ts';
import { readRunFile } from '#cli/run-file.ts';
import type { View } from '#cli/up/events.ts';
import { appEnv, ownEnv } from '#cli/up/environments.ts';
import { openLogFile } from '#cli/up/log-file.ts';
import { parseMeshFile } from '#cli/up/mesh-file.ts';
import { checkPortsAreFree, findFreePorts } from '#cli/up/ports.ts';
import { checkProgramsExist, chooseProgram, programFinder } from '#cli/up/programs.ts';
import { makeSocketDir } from '#cli/up/socket-dir.ts';
import { openStateDir } from '#cli/up/state-dir.ts';
import { claimForTrustDomain } from '#cli/up/state-owner.ts';
import { serveStatus } from '#cli/up/status-server.ts';
import type { Summary } from '#cli/up/summary.ts';
import { getJson } from '#cli/unix-http.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { freshFolder } from '#support/fresh-folder.ts';

const edge = { pid: process.pid, clock: systemClock, self: { execPath: process.execPath } } as unknown as Edge;
const summary: Summary = { requests: 1, failed: 0, resets: 0, workloads: [], denied: 0 };
const view: View = { mesh: 'a', summary, nowMs: 0, readyForMs: 0, path: [], rows: [] };
const answers = { summary: () => summary, view: () => view, agents: () => ({ prices: '/run/prices.sock' }) };
const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe('the environment', () => {
  const user = {
    PATH: '/usr/bin',
    HOME: '/home/me',
    AWS_SECRET_ACCESS_KEY: 'theirs',
    EASTWEST_COMPILE_CACHE: '/cache',
    NODE_COMPILE_CACHE: '/cache',
  };

  test('of an app is the user’s, with our Node first, and without anything of ours', () => {
    expect(appEnv(user, { PORT: '1' }, '/state/bin')).toEqual({
      PATH: '/state/bin:/usr/bin',
      HOME: '/home/me',
      AWS_SECRET_ACCESS_KEY: 'theirs',
      PORT: '1',
    });
  });

  test('of an app keeps a compile cache that the user asked for', () => {
    expect(appEnv({ NODE_COMPILE_CACHE: '/mine' }, {}, '/b')).toEqual({ NODE_COMPILE_CACHE: '/mine', PATH: '/b' });
  });

  test('of control plane and agents holds no secret of the user', () => {
    expect(ownEnv(user)).toEqual({ PATH: '/usr/bin', HOME: '/home/me', NODE_COMPILE_CACHE: '/cache' });
  });
});

describe('the program of an app', () => {
  const workload = { run: ['python3', 'a.py'], otherwise: ['node', 'a.js'] };

  test.each([
    ['run, where it is there', workload, true, { argv: ['python3', 'a.py'], missing: undefined }],
    ['its twin, where it is not', workload, false, { argv: ['node', 'a.js'], missing: 'python3' }],
    [
      'run all the same without a twin',
      { ...workload, otherwise: undefined },
      false,
      { argv: ['python3', 'a.py'], missing: undefined },
    ],
  ])('is %s', (_, { run, otherwise }, isThere, chosen) => {
    expect(chooseProgram({ run, otherwise } as never, () => isThere)).toEqual(chosen);
  });

  test.each([
    [undefined, 'prices: python3 is not on PATH'],
    [['./twin'], 'prices: ./twin is no program that one can start here'],
  ])('that is missing, with the twin %s, is refused before anything starts', (otherwise, message) => {
    const workloads = [{ name: 'prices', run: ['python3'], otherwise }] as never;
    const nothing = () => () => false;
    const expected = expect.objectContaining({
      code: 'NO_PROGRAM',
      message,
      hint: expect.stringContaining('otherwise'),
    });
    expect(() => checkProgramsExist(workloads, nothing)).toThrow(expected);
  });

  test('is looked for as the system will: on PATH, or relative to the mesh file', async () => {
    await using folder = freshFolder();
    mkdirSync(join(folder.path, 'bin'));
    writeFileSync(join(folder.path, 'bin', 'tool'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(folder.path, 'bin', 'data'), '', { mode: 0o644 });
    const has = programFinder(`/nowhere:${join(folder.path, 'bin')}`, folder.path);
    expect(['tool', './bin/tool', join(folder.path, 'bin/tool')].map(has)).toEqual([true, true, true]);
    expect(['data', 'other', './tool', 'bin', './bin'].map(has)).toEqual([false, false, false, false, false]);
  });
});

describe('ports', () => {
  const mesh = (port: number, listen: number) => {
    const read = parseMeshFile(`
name: two
workloads:
  - { name: web, run: [x], calls: [{ to: prices, listen: ${listen} }] }
  - { name: prices, run: [x], listens: [{ port: ${port} }] }
`);
    if (!read.ok) throw new Error(read.reason.join());
    return read.value;
  };

  test('that are free are found, all different', async () => {
    const ports = await findFreePorts(20);
    expect(new Set(ports).size).toBe(20);
  });

  test('in use are refused with the workload that needs them', async () => {
    const [free = 0, other = 0] = await findFreePorts(2);
    await expect(checkPortsAreFree(mesh(free, other))).resolves.toBeUndefined();
    const holder = createServer().listen(other, '127.0.0.1');
    await once(holder, 'listening');
    await expect(checkPortsAreFree(mesh(free, other))).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: `port ${other} is in use (web calls prices there)`,
      hint: expect.stringContaining('write another port'),
    });
    holder.close();
  });
});

describe('the state directory', () => {
  test('is this user’s alone, whatever it was before (A64)', async () => {
    await using folder = freshFolder();
    const path = join(folder.path, '.eastwest');
    mkdirSync(path);
    chmodSync(path, 0o777);
    const state = await openStateDir(path, edge);
    const config = state.writeAgentConfig('prices', '{}');
    state.announce();
    const dirs = [path, state.controlPlaneDir, state.logDir, state.nodeDir, dirname(config), state.socketDir];
    expect(dirs.map(modeOf)).toEqual(dirs.map(() => 0o700));
    expect([config, join(path, 'run.json')].map(modeOf)).toEqual([0o600, 0o600]);
    expect(realpathSync(join(state.nodeDir, 'node'))).toBe(realpathSync(process.execPath));
    expect(readFileSync(join(path, '.gitignore'), 'utf8')).toBe('*\n');
    state.close();
    expect(existsSync(state.socketDir)).toBe(false);
    expect(readRunFile(path)).toBeUndefined();
  });

  test('of a running mesh is refused, that of a killed one is taken over', async () => {
    await using folder = freshFolder();
    const path = join(folder.path, '.eastwest');
    const first = await openStateDir(path, edge);
    first.announce();
    const server = await serveStatus(first.statusSocket, answers);
    await expect(openStateDir(path, edge)).rejects.toMatchObject({
      code: 'ALREADY_UP',
      hint: expect.stringContaining('--state-dir'),
    });
    server.close();
    const second = await openStateDir(path, edge);
    expect(existsSync(first.socketDir)).toBe(false);
    second.close();
  });
});

describe('the state directory of another trust domain', () => {
  test.each(['mesh.json', 'agents/prices.yaml'])('is refused as %s tells', async (file) => {
    await using folder = freshFolder();
    const path = join(folder.path, '.eastwest');
    const state = await openStateDir(path, edge);
    claimForTrustDomain(state, 'other.example');
    claimForTrustDomain(state, 'own.example'); // there is no store yet
    writeFileSync(join(state.controlPlaneDir, 'store.sqlite'), '');
    rmSync(join(path, 'mesh.json'));
    writeFileSync(join(path, file), '{"trustDomain":"own.example"}');
    const refused = expect.objectContaining({
      code: 'OTHER_MESH',
      message: expect.stringContaining('.eastwest belongs to the mesh of own.example'),
      hint: expect.stringContaining('--state-dir DIR'),
    });
    expect(() => claimForTrustDomain(state, 'shop.example')).toThrow(refused);
    expect(() => claimForTrustDomain(state, 'own.example')).not.toThrow();
    state.close();
  });
});

describe('the folder of sockets', () => {
  afterEach(() => vi.unstubAllEnvs());

  test.each([
    ['is missing', '/nowhere/at/all', 10],
    ['is too long for a socket', `/${'x'.repeat(120)}`, 10],
  ])('is below /tmp where TMPDIR %s', (_, dir, name) => {
    vi.stubEnv('TMPDIR', dir);
    const made = makeSocketDir(name);
    expect(made).toMatch(/^\/tmp\/eastwest-/);
    rmdirSync(made);
  });

  test('is refused where no path is short enough', () => {
    expect(() => makeSocketDir(100)).toThrow(expect.objectContaining({ hint: expect.stringContaining('set TMPDIR') }));
  });
});

describe('the status socket', () => {
  test('is 0600 and answers the summary, and nothing else', async () => {
    await using folder = freshFolder();
    const socket = join(folder.path, 'up.sock');
    const server = await serveStatus(socket, answers);
    const bounds = { deadlineMs: 2_000, clock: systemClock };
    expect(modeOf(socket)).toBe(0o600);
    expect(await getJson(socket, '/status', bounds)).toEqual(summary);
    expect(await getJson(socket, '/view', bounds)).toEqual(view);
    await expect(getJson(socket, '/other', bounds)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    server.close();
    await expect(getJson(socket, '/status', bounds)).rejects.toMatchObject({ code: 'NO_ANSWER' });
  });
});

test('a log file is 0600 and never grows without end', async () => {
  await using folder = freshFolder();
  const log = openLogFile(join(folder.path, 'a.log'));
  const line = 'x'.repeat(1024 * 1024);
  for (let i = 0; i < 20; i += 1) log.write(line);
  log.close();
  expect(modeOf(log.path)).toBe(0o600);
  const bytes = statSync(log.path).size + statSync(`${log.path}.1`).size;
  expect(bytes).toBeLessThan(19 * 1024 * 1024);
});
