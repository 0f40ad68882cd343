import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startReadyAgent } from '#support/agent-process.ts';
import { startHttpApp } from '#support/apps.ts';
import { startControlPlaneProcess } from '#support/control-plane-process.ts';
import { checkout, freshFolder } from '#support/fresh-folder.ts';
import { send } from '#support/pair-world.ts';
import { runProgram } from '#support/programs.ts';

const idOf = (name: string): string => `spiffe://echo.example/ns/default/sa/${name}`;

const registrations = `apiVersion: eastwest.dev/v1
kind: Service
metadata: { name: '${idOf('prices')}', tenant: shop }
spec: { scopes: [prices.read, prices.write], approval: none }
---
apiVersion: eastwest.dev/v1
kind: Client
metadata: { name: '${idOf('cart')}', tenant: shop }
spec:
  authentication: svid
  grants: [client_credentials]
  access: [{ audience: '${idOf('prices')}', scopes: [prices.read] }]
  approval: none
`;

test('apps that know nothing of tokens call each other with one, until its key is revoked (S16, S18, S80)', async () => {
  await using folder = freshFolder();
  await using app = await startHttpApp();
  const config = { tokens: { issuer: 'https://sts.echo.example' } };
  await using controlPlane = await startControlPlaneProcess('1m', { config });
  const eastwest = (...words: string[]) =>
    runProgram(process.execPath, [join(checkout, 'bin/eastwest.js'), ...words, '--data-dir', controlPlane.dataDir]);
  const agent = async (workload: string, more: object) => {
    const token = join(folder.path, `${workload}.token`);
    writeFileSync(token, await controlPlane.joinToken(workload), { mode: 0o600 });
    const { address, trustBundle, trustDomain } = controlPlane;
    const identity = { controlPlane: { address, trustBundle, joinToken: { file: token } } };
    return startReadyAgent({ workload, trustDomain, identity, ...more });
  };
  const file = join(folder.path, 'apps.yaml');
  writeFileSync(file, registrations);
  await using prices = await agent('prices', {
    inbound: {
      listen: '127.0.0.1:0',
      ports: [{ port: 7002, app: app.at, protocol: 'http', allow: [idOf('cart')], token: { mode: 'require' } }],
    },
  });
  expect(await eastwest('app', 'register', file)).toMatchObject({ code: 0 });
  const at = { workload: 'prices', port: 7002, listen: '127.0.0.1:0', protocol: 'http' };
  await using cart = await agent('cart', {
    outbound: { upstreams: [{ ...at, token: { mode: 'attach', scopes: ['prices.read'] } }] },
  });
  await using bare = await agent('bare', { outbound: { upstreams: [at] } });
  const portOf = async ({ address }: typeof cart) => (await address('upstream prices:7002')).port;

  const [withToken, without] = [await portOf(cart), await portOf(bare)];
  await expect.poll(async () => (await send(withToken)).status, { timeout: 10_000 }).toBe(200);
  const heard = app.seen.at(-1)?.headers.join('\n') ?? '';
  expect(heard, 'M5: the app gets no token').not.toContain('eyJ');
  expect(heard).toContain(idOf('cart'));
  const refused = await send(without);
  expect(refused.status).toBe(401);
  expect(refused.headers['www-authenticate']).toContain('invalid_token');

  const { stdout } = await eastwest('sts', 'keys', '--json');
  const keys = JSON.parse(stdout) as { readonly keys: readonly { readonly kid: string; readonly state: string }[] };
  const current = keys.keys.find(({ state }) => state === 'current');
  expect(await eastwest('sts', 'revoke-key', current?.kid ?? '')).toMatchObject({ code: 0 });
  await expect.poll(async () => (await send(withToken)).status, { timeout: 1_000, interval: 20 }).not.toBe(200);
  const said = JSON.stringify([cart.events, cart.notes, prices.events, prices.notes]);
  expect(said, 'A39: no token in any log').not.toContain('eyJ');
}, 60_000);
