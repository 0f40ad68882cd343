import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { UpEvent } from '#cli/up/events.ts';
import { findFreePorts } from '#cli/up/ports.ts';
import type { Summary } from '#cli/up/summary.ts';
import { until } from '#cli/up/until.ts';
import { getJson } from '#cli/unix-http.ts';
import { readRunFile } from '#cli/run-file.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { checkout, freshFolder, type FreshFolder } from '#support/fresh-folder.ts';

/** Answers what it was told of its caller, and what `CALLS` answered, where it is set. */
const app = `
import { createServer } from 'node:http';
createServer(async (request, response) => {
  const caller = request.headers['x-forwarded-client-cert'] ?? null;
  if (request.url === '/crash') process.exit(7);
  const called = process.env.CALLS ? await fetch(process.env.CALLS) : undefined;
  response.writeHead(called?.status ?? 200).end(JSON.stringify({ caller, called: called && (await called.text()) }));
}).listen(Number(process.env.PORT), '127.0.0.1');
console.log('listening');
`;

interface Ports {
  readonly front: number;
  readonly back: number;
  readonly frontToBack: number;
}

async function writeMesh(folder: FreshFolder): Promise<Ports> {
  const [front = 0, back = 0, frontToBack = 0] = await findFreePorts(3);
  writeFileSync(join(folder.path, 'app.mjs'), app);
  writeFileSync(
    join(folder.path, 'mesh.yaml'),
    `
name: pair
svidLife: 5s
workloads:
  - name: front
    run: [node, app.mjs]
    env: { PORT: "${front}", CALLS: "http://127.0.0.1:${frontToBack}/" }
    listens: [{ port: ${front} }]
    calls: [{ to: back, listen: ${frontToBack} }]
  - name: back
    run: [no-such-program-here, app.py]
    otherwise: [node, app.mjs]
    env: { PORT: "${back}" }
    listens: [{ port: ${back} }]
traffic: [{ url: "http://127.0.0.1:${front}/", perSecond: 20 }]
`,
  );
  return { front, back, frontToBack };
}

/** `eastwest up --json` as a process of its own, with a secret in its environment. */
function startUp(folder: FreshFolder, ...options: string[]) {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [join(checkout, 'bin/eastwest.js'), 'up', '--json', ...options], {
    cwd: folder.path,
    env: { PATH, HOME, USERS_OWN: 'kept', EASTWEST_SECRET: 'not-for-apps' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const events: UpEvent[] = [];
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => {
    const lines = (stdout + data.toString()).split('\n');
    stdout = lines.pop() ?? '';
    for (const line of lines) events.push(JSON.parse(line) as UpEvent);
  });
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const signal = new AbortController().signal;
  const seen = (isIt: (event: UpEvent) => boolean) =>
    until(() => events.some(isIt), { deadlineMs: 15_000, clock: systemClock, signal });
  return {
    child,
    events,
    ended,
    seen,
    stderr: () => stderr,
    [Symbol.asyncDispose]: async () => void child.kill('SIGTERM'),
  };
}

/** Process numbers of everything that runs in or for this folder. */
function processesOf(folder: FreshFolder): number[] {
  const path = realpathSync(folder.path);
  return globSync('/proc/[0-9]*').flatMap((dir) => {
    try {
      const isOurs = realpathSync(join(dir, 'cwd')).startsWith(path);
      return isOurs ? [Number(dir.slice('/proc/'.length))] : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

describe('eastwest up', () => {
  test('runs a mesh: callers proved, certificates rotated, no request failed; status tells the same (M1, S3, S5)', async () => {
    await using folder = freshFolder();
    await writeMesh(folder);
    await using up = startUp(folder, '--for', '6s');
    expect(await up.seen(({ event }) => event === 'path.proved'), up.stderr()).toBe(true);
    const socket = readRunFile(join(folder.path, '.eastwest'))?.socket ?? '';
    const status = (await getJson(socket, '/status', { deadlineMs: 2_000, clock: systemClock })) as Summary;
    expect(status.workloads.map(({ name }) => name)).toEqual(['front', 'back']);
    expect(await up.ended, up.stderr()).toBe(0);
    expect(up.events).toContainEqual({ event: 'path.proved', path: ['front', 'back'], by: 'echo' });
    expect(up.events).toContainEqual({
      event: 'app.twin-started',
      workload: 'back',
      missing: 'no-such-program-here',
      instead: 'node app.mjs',
    });
    const summary = up.events.at(-1) as unknown as Summary;
    expect(summary).toMatchObject({ failed: 0, resets: 0 });
    expect(summary.requests).toBeGreaterThan(100);
    for (const workload of summary.workloads) {
      expect(workload.spiffeId).toBe(`spiffe://pair.example/ns/default/sa/${workload.name}`);
      expect(workload.rotations).toBeGreaterThanOrEqual(1);
    }
    expect(processesOf(folder)).toEqual([]);
  });

  test('keeps secrets out of environments, command lines and files that others can read (M5, A64)', async () => {
    await using folder = freshFolder();
    await writeMesh(folder);
    await using up = startUp(folder);
    expect(await up.seen(({ event }) => event === 'up.ready'), up.stderr()).toBe(true);
    const children = processesOf(folder).filter((pid) => pid !== up.child.pid);
    const apps = children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('app.mjs'));
    expect(apps.length).toBe(2);
    for (const pid of children) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      expect(environment).not.toContain('not-for-apps');
      if (apps.includes(pid)) expect(environment).not.toContain('EASTWEST');
      expect(environment.includes('USERS_OWN=kept')).toBe(apps.includes(pid));
    }
    const files = globSync(join(folder.path, '.eastwest/**/*'), { withFileTypes: true });
    const open = files
      .filter((file) => file.isFile() || file.isDirectory())
      .map((file) => join(file.parentPath, file.name))
      .filter((path) => (statSync(path).mode & 0o077) !== 0);
    expect(open.map((path) => path.slice(folder.path.length))).toEqual(['/.eastwest/control-plane/trust-bundle.pem']);
    const texts = files
      .filter((file) => file.isFile())
      .map((file) => readFileSync(join(file.parentPath, file.name), 'latin1'));
    expect(texts.some((text) => text.includes('PRIVATE KEY'))).toBe(false);
    up.child.kill('SIGINT');
    expect(await up.ended).toBe(0);
  });

  test('starts a crashed app again, shows it, and ends with 1 when requests failed', async () => {
    await using folder = freshFolder();
    const { front } = await writeMesh(folder);
    await using up = startUp(folder);
    expect(await up.seen(({ event }) => event === 'up.ready'), up.stderr()).toBe(true);
    await fetch(`http://127.0.0.1:${front}/crash`).catch(() => undefined);
    expect(await up.seen(({ event }) => event === 'part.restarted')).toBe(true);
    expect(up.events).toContainEqual(
      expect.objectContaining({ event: 'part.crashed', part: 'app', workload: 'front', exit: { code: 7 } }),
    );
    expect(await up.seen(({ event }) => event === 'traffic.failed')).toBe(true);
    up.child.kill('SIGTERM');
    expect(await up.ended).toBe(1);
  });

  test('ends with 1 when an app without ports ended by itself, and does not call it ready', async () => {
    await using folder = freshFolder();
    writeFileSync(join(folder.path, 'mesh.yaml'), 'name: x\nworkloads: [{ name: a, run: [node, -e, "0"] }]\n');
    await using up = startUp(folder, '--for', '1s');
    expect(await up.ended, up.stderr()).toBe(1);
    expect(up.events.some(({ event }) => event === 'app.ready')).toBe(false);
  });

  test('leaves nothing behind when it is killed', async () => {
    await using folder = freshFolder();
    await writeMesh(folder);
    await using up = startUp(folder);
    expect(await up.seen(({ event }) => event === 'up.ready'), up.stderr()).toBe(true);
    expect(processesOf(folder).length).toBeGreaterThan(5);
    up.child.kill('SIGKILL');
    const allGone = () => processesOf(folder).length === 0;
    const bounds = { deadlineMs: 10_000, clock: systemClock, signal: new AbortController().signal };
    expect(await until(allGone, bounds)).toBe(true);
  });

  test.each([
    [
      'a port in use',
      async (folder: FreshFolder) => holdPort((await writeMesh(folder)).back),
      /port \d+ is in use \(back listens there\)\nfix: stop what/,
    ],
    [
      'a program that is not there',
      async (folder: FreshFolder) => {
        writeFileSync(
          join(folder.path, 'mesh.yaml'),
          'name: x\nworkloads: [{ name: a, run: [no-such-program-here] }]\n',
        );
        return Promise.resolve();
      },
      /a: no-such-program-here is not on PATH\nfix: .*otherwise/,
    ],
    ['no mesh file', () => Promise.resolve(), /cannot read .*mesh\.yaml.*\nfix: name it: eastwest up/],
    [
      'a mesh file with mistakes',
      async (folder: FreshFolder) => {
        writeFileSync(join(folder.path, 'mesh.yaml'), 'name: x\nworkload: []\n');
        return Promise.resolve();
      },
      /is not a mesh file:\n {2}workloads: list the workloads\n {2}there is no setting workload; did you mean workloads\?\nfix: .*\/docs\/reference\.md/,
    ],
  ])('refuses %s and names the fix', async (_, prepare, stderr) => {
    await using folder = freshFolder();
    const held = await prepare(folder);
    await using up = startUp(folder);
    expect(await up.ended).toBe(1);
    expect(up.stderr()).toMatch(stderr);
    held?.close();
  });
});

async function holdPort(port: number) {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
