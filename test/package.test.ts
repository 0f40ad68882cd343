import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout, freshFolder, type FreshFolder } from '#support/fresh-folder.ts';

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

interface Summary {
  readonly requests: number;
  readonly failed: number;
  readonly resets: number;
  readonly workloads: readonly { readonly name: string; readonly spiffeId: string; readonly rotations: number }[];
}

describe('the packed tarball, installed into an empty folder with nothing but npm', () => {
  let folder: FreshFolder;
  let packed: Packed;

  beforeAll(async () => {
    folder = freshFolder();
    const pack = await folder.run(`npm pack --json --pack-destination . ${JSON.stringify(checkout)}`, {
      deadlineMs: 60_000,
    });
    expect(pack, pack.stderr).toMatchObject({ code: 0 });
    packed = (JSON.parse(pack.stdout.slice(pack.stdout.indexOf('[\n'))) as Packed[])[0] as Packed;
    const install = await folder.run(`npm init --yes && npm install --no-audit --no-fund ./${packed.filename}`, {
      deadlineMs: 180_000,
    });
    expect(install, install.stderr).toMatchObject({ code: 0 });
  }, 240_000);

  afterAll(() => folder[Symbol.asyncDispose]());

  test('holds JavaScript, the contract, the examples and the licence, and no sources or tests', () => {
    const paths = packed.files.map((file) => file.path);
    expect(paths).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'CONTRIBUTING.md',
        'docs/reference.md',
        'SECURITY.md',
        'bin/eastwest.js',
        'dist/cli/main.js',
        'proto/mesh.proto',
        'examples/shop/mesh.yaml',
      ]),
    );
    expect(paths.filter((path) => /^(test|bench|\.ci)\/|\.ts$|\.test\./.test(path))).toEqual([]);
    expect(packed.size).toBeLessThan(1_000_000);
  });

  test('brings no package that only the checkout needs', () => {
    const { dependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const lock = readFileSync(join(folder.path, 'package-lock.json'), 'utf8');
    for (const name of Object.keys(dependencies)) expect(lock).toContain(`"node_modules/${name}"`);
    for (const name of ['typescript', 'vitest', 'oxlint']) expect(lock).not.toContain(`"node_modules/${name}"`);
  });

  test('npx eastwest --help lists the commands, --version the version and a Node that is new enough', async () => {
    const help = await folder.run('npx eastwest --help', { deadlineMs: 30_000 });
    expect(help, help.stderr).toMatchObject({ code: 0 });
    for (const command of ['up', 'control-plane', 'agent', 'token create', 'status', 'cert show']) {
      expect(help.stdout).toContain(`  ${command} `);
    }
    const version = await folder.run('npx eastwest --version', { deadlineMs: 30_000 });
    expect(version.stdout).toMatch(/^eastwest 0\.\d+\.\d+ \(node v(2[4-9]|[3-9]\d)\./);
  });

  test('npx eastwest up runs a mesh file of its own there: requests pass, none fails, certificates rotate', async () => {
    await writeOwnMesh(folder.path);
    const up = await folder.run('npx eastwest up mesh.yaml --for 15s --json', { deadlineMs: 90_000 });
    expect(up, `${up.stdout.slice(-2000)}\n${up.stderr.slice(-2000)}`).toMatchObject({ code: 0 });
    const summary = JSON.parse(up.stdout.trim().split('\n').at(-1) ?? '') as Summary;
    expect(summary).toMatchObject({ failed: 0, resets: 0 });
    expect(summary.requests).toBeGreaterThan(20);
    expect(summary.workloads.map((workload) => workload.name).toSorted()).toEqual(['asker', 'greeter']);
    for (const workload of summary.workloads) {
      expect(workload.spiffeId).toBe(`spiffe://own.example/ns/default/sa/${workload.name}`);
      expect(workload.rotations).toBeGreaterThanOrEqual(1);
    }
  });
});

/** Two apps that know nothing of the mesh, and the file that puts them into one. */
async function writeOwnMesh(folder: string): Promise<void> {
  const [greeterPort, upstreamPort] = await freePorts(2);
  mkdirSync(join(folder, 'apps'));
  writeFileSync(
    join(folder, 'apps', 'greeter.mjs'),
    `import { createServer } from 'node:http';
createServer((request, response) => response.end('hello')).listen(${greeterPort}, '127.0.0.1');
`,
  );
  writeFileSync(
    join(folder, 'apps', 'asker.mjs'),
    `setInterval(async () => {
  const response = await fetch(process.env.GREETER_URL);
  await response.text();
}, 100);
`,
  );
  writeFileSync(
    join(folder, 'mesh.yaml'),
    `name: own
svidLife: 10s
workloads:
  - name: greeter
    run: [node, apps/greeter.mjs]
    listens: [{ port: ${greeterPort} }]
  - name: asker
    run: [node, apps/asker.mjs]
    env: { GREETER_URL: 'http://127.0.0.1:${upstreamPort}/' }
    calls: [{ to: greeter, listen: ${upstreamPort} }]
`,
  );
}

/** Ports of 127.0.0.1 that were free a moment ago: held all at once, then given back. */
async function freePorts(count: number): Promise<readonly number[]> {
  const holders = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(holders.map((holder) => once(holder, 'listening')));
  const ports = holders.map((holder) => (holder.address() as AddressInfo).port);
  await Promise.all(holders.map((holder) => once(holder.close(), 'close')));
  return ports;
}
