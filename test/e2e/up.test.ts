import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkout } from '#support/fresh-folder.ts';
import { freePorts, onFreePorts, startMesh, type MeshProcess } from '#support/mesh-process.ts';
import { lacks } from '#support/needs.ts';
import { filesIn } from '#support/readme.ts';

const shop = join(checkout, 'examples', 'shop');
const isoTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const address = expect.stringMatching(/^127\.0\.0\.1:\d+$/);

/** The example as it is, on ports that are free. */
async function shopFiles(): Promise<Readonly<Record<string, string>>> {
  const apps = ['orders.js', 'prices.js', 'prices.py', 'storefront.js'];
  const mesh = await onFreePorts({ 'mesh.yaml': readFileSync(join(shop, 'mesh.yaml'), 'utf8') }, /\b7[01]\d\d\b/g);
  const texts = apps.map((name) => [`apps/${name}`, readFileSync(join(shop, 'apps', name), 'utf8')]);
  return { ...Object.fromEntries(texts), 'package.json': '{"type":"module"}', ...mesh };
}

describe('npm start’s shop', () => {
  test.skipIf(lacks('the shop with its Python app', 'python3'))(
    'carries every request through three apps in two languages over mTLS, and none fails (M1, S3, S5)',
    async () => {
      await using mesh = await startShop({});
      expect(mesh.lines.some((line) => line['event'] === 'app.twin-started')).toBe(false);
      await provesItsPath(mesh);
    },
  );

  test('starts the twin in Node where python3 is missing, and says so in one line', async () => {
    await using mesh = await startShop({ PATH: '/nowhere' });
    expect(mesh.lines.filter((line) => line['event'] === 'app.twin-started')).toEqual([
      { event: 'app.twin-started', workload: 'prices', missing: 'python3', instead: 'node apps/prices.js' },
    ]);
    await provesItsPath(mesh);
  });

  async function startShop(env: Readonly<Record<string, string>>): Promise<MeshProcess> {
    const { 'mesh.yaml': meshYaml = '', ...files } = await shopFiles();
    return startMesh(meshYaml, { files, env });
  }

  async function provesItsPath(mesh: MeshProcess): Promise<void> {
    const proved = await mesh.until((line) => line['event'] === 'path.proved', 15_000);
    expect(proved).toEqual({ event: 'path.proved', path: ['storefront', 'prices', 'orders'], by: 'echo' });
    const { code, summary } = await mesh.stop();
    expect({ code, failed: summary.failed, resets: summary.resets }, mesh.output()).toEqual({
      code: 0,
      failed: 0,
      resets: 0,
    });
  }
});

describe('the mesh file of the README', () => {
  test('runs with its two apps; --for ends it with 0 and the summary; status tells the same from outside', async () => {
    const { 'mesh.yaml': meshYaml = '', ...files } = await readmeMesh();
    await using mesh = await startMesh(meshYaml, { files, words: ['--for', '8s'] });
    await mesh.until((line) => line['event'] === 'svid.rotated', 8_000);
    const status = await mesh.eastwest('status', '--json');
    expect(status, status.stderr).toMatchObject({ code: 0, stderr: '' });
    const seen = JSON.parse(status.stdout) as object;
    expect(status.stdout).toBe(`${JSON.stringify(seen)}\n`);

    const { code, summary } = await mesh.ended;
    expect(code, mesh.output()).toBe(0);
    for (const told of [seen, summary]) {
      expect(told).toEqual({
        requests: expect.any(Number),
        failed: 0,
        resets: 0,
        workloads: [
          {
            name: 'greeter',
            spiffeId: 'spiffe://own.example/ns/default/sa/greeter',
            ports: { inbound: address, app: [expect.any(Number)], upstreams: {}, admin: address },
            rotations: expect.any(Number),
            notAfter: isoTime,
          },
          {
            name: 'asker',
            spiffeId: 'spiffe://own.example/ns/default/sa/asker',
            ports: { inbound: address, app: [], upstreams: { greeter: address }, admin: address },
            rotations: expect.any(Number),
            notAfter: isoTime,
          },
        ],
        denied: 0,
      });
      expect(Object.keys(told)).toEqual(['requests', 'failed', 'resets', 'workloads', 'denied']);
    }
    expect(summary.requests).toBeGreaterThan((seen as typeof summary).requests);
    for (const { name, rotations } of summary.workloads) expect(rotations, name).toBeGreaterThanOrEqual(1);
    const gone = await mesh.eastwest('status', '--json');
    expect(gone).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('fix: start one with') });
    const heard = readFileSync(join(mesh.stateDir, 'logs', 'asker.app.log'), 'utf8');
    expect(heard).toContain('hello, spiffe://own.example/ns/default/sa/asker');
    const learned = await mesh.eastwest('policy', 'learn');
    expect(learned).toMatchObject({ code: 0, stderr: expect.stringContaining('of 1 caller to 1 workload') });
    expect(learned.stdout).toContain('name: learned-greeter\n');
    expect(learned.stdout).toContain('- own.example/ns/default/sa/asker\n');
  });

  async function readmeMesh(): Promise<Readonly<Record<string, string>>> {
    const { 'mesh.yaml': mesh = '', 'greeter.mjs': greeter = '', 'asker.mjs': asker = '' } = filesIn('README.md');
    return onFreePorts({ 'mesh.yaml': mesh, 'greeter.mjs': greeter, 'asker.mjs': asker }, /\b[78]\d\d0\b/g);
  }
});

describe('an app whose calls are captured by HTTP_PROXY alone', () => {
  const prices = `
import { createServer } from 'node:http';
createServer((request, response) => {
  let body = '';
  request.on('data', (piece) => (body += piece));
  request.on('end', () => response.end(\`\${request.method} \${body} \${request.headers['x-forwarded-client-cert']}\`));
}).listen(Number(process.env.PORT), '127.0.0.1');
`;
  const byFetch = `
const say = async (url, options) => {
  const answer = await fetch(url, options);
  console.log(options.method, answer.status, await answer.text());
};
await say('http://prices/', { method: 'GET' });
await say('http://prices:' + process.env.PRICES_PORT + '/', { method: 'POST', body: 'tea' });
await say('http://orders/', { method: 'GET' });
setInterval(() => undefined, 1000);
`;
  const byUrllib = `
import os, time, urllib.error, urllib.request
def say(url, method, body=None):
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, method=method, data=body), timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    print(method, answer.status, answer.read().decode(), flush=True)
say("http://prices/", "GET")
say("http://prices:" + os.environ["PRICES_PORT"] + "/", "POST", b"tea")
say("http://orders/", "GET")
time.sleep(3600)
`;

  test.for([
    ['Node’s fetch', 'node', 'by-fetch.mjs', byFetch, false] as const,
    [
      'Python’s urllib',
      'python3',
      'by-urllib.py',
      byUrllib,
      lacks('HTTP_PROXY with Python’s urllib', 'python3'),
    ] as const,
  ])('reaches by name whom it may call, and nobody else: %s', async ([, program, file, text, isMissing], { skip }) => {
    skip(isMissing);
    const [port] = await freePorts(1);
    const meshYaml = `
name: proxied
workloads:
  - name: caller
    run: [${program}, ${file}]
    env: { PRICES_PORT: "${port}" }
    capture: http-proxy
    calls: [{ to: prices }]
  - name: prices
    run: [node, prices.mjs]
    env: { PORT: "${port}" }
    listens: [{ port: ${port} }]
`;
    await using mesh = await startMesh(meshYaml, { files: { [file]: text, 'prices.mjs': prices } });
    const log = join(mesh.stateDir, 'logs', 'caller.app.log');
    await expect.poll(() => readFileSync(log, 'utf8'), { timeout: 15_000 }).toMatch(/^GET 502/m);
    const [get, post, refused] = readFileSync(log, 'utf8').split('\n');
    const caller = 'URI=spiffe://proxied.example/ns/default/sa/caller';
    expect(get).toMatch(/^GET 200 GET /);
    expect(post).toMatch(/^POST 200 POST tea /);
    for (const answer of [get, post]) expect(answer).toContain(caller);
    expect(refused).toContain('Not a destination of this workload');
    await mesh.stop();
  });
});
