import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startAgent, startReadyAgent } from '#support/agent-process.ts';
import { startControlPlaneProcess } from '#support/control-plane-process.ts';
import { checkout, freshFolder } from '#support/fresh-folder.ts';
import { allowText } from '#support/mesh-policies.ts';
import { runProgram } from '#support/programs.ts';

test('policies reach an agent, one that it cannot judge is refused by name, and the last good set outlives both programs (M8, A67)', async () => {
  await using folder = freshFolder();
  await using controlPlane = await startControlPlaneProcess('1m');
  const eastwest = (...words: string[]) =>
    runProgram(process.execPath, [join(checkout, 'bin/eastwest.js'), ...words, '--data-dir', controlPlane.dataDir]);
  const apply = async (text: string) => {
    const file = join(folder.path, 'policies.yaml');
    writeFileSync(file, text);
    return eastwest('policy', 'apply', file);
  };
  const token = join(folder.path, 'token');
  writeFileSync(token, await controlPlane.joinToken('prices'), { mode: 0o600 });
  const stateDir = join(folder.path, 'state');
  mkdirSync(stateDir, { mode: 0o700 });
  const { address, trustBundle, trustDomain } = controlPlane;
  const config = {
    workload: 'prices',
    trustDomain,
    identity: { controlPlane: { address, trustBundle, joinToken: { file: token }, stateDir } },
    inbound: { listen: '127.0.0.1:0', ports: [{ port: 7002, protocol: 'tcp' }] },
  };
  const allowTcp = allowText('cart').replace(/operation: \{.*\}/, 'operation: { ports: ["7002"] } }');

  {
    expect(await apply(allowText('cart'))).toMatchObject({ code: 0 }); // methods and paths on a port that nobody knows yet
    await using agent = await startReadyAgent(config);
    const refused = await agent.event('policies.refused', ({ revision }) => revision === 1);
    expect(refused.problem).toContain('spec.rules[0].to[0].operation.');
    const order = agent.events.map(({ event }) => event);
    expect(order.indexOf('policies.refused'), 'nobody is let in before').toBeLessThan(order.indexOf('listener.open'));
    await expect
      .poll(async () => (await eastwest('policy', 'status')).stdout, { timeout: 10_000 })
      .toMatch(/prices +1 +0 +1\nprices at .* has none, behind for \d+s, refused: .*spec\.rules\[0\]/);

    const known = await apply(allowText('cart', { path: '/other' }));
    expect(known).toMatchObject({ code: 1, stderr: expect.stringContaining('on port 7002 of default/prices') });
    expect(known.stderr).toMatch(/policies\.yaml:8:\d+ spec\.rules\[0\]\.to\[0\]\.operation\.\w+/);
    expect(await apply(allowTcp)).toMatchObject({ code: 0 });
    await agent.event('policies.applied', ({ revision, documents }) => revision === 2 && documents === 1);
    await expect.poll(async () => (await eastwest('policy', 'status')).code, { timeout: 10_000 }).toBe(0);
    await controlPlane.kill();
    expect(await agent.stop()).toBe(0);
  }

  await using again = startAgent(config);
  const resumed = await again.event('policies.resumed');
  expect(resumed).toMatchObject({ revision: 2, documents: 1 });
  await again.event('agent.ready');
  const names = again.events.map(({ event }) => event);
  expect(names.indexOf('policies.resumed')).toBeLessThan(names.indexOf('listener.open'));
}, 60_000);
