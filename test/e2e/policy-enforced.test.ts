import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startEchoMesh } from '#support/echo-mesh.ts';

const document = (name: string, spec: string): string => `apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: default }
spec: ${spec}
`;

test('a policy that is applied decides within a second, also about what is open (A45, M8)', async () => {
  await using mesh = await startEchoMesh('1m');
  const { http, tcp } = mesh.ports;
  const dataDir = join(mesh.stateDir, 'control-plane');
  const policy = (...words: string[]) => mesh.eastwest('policy', ...words, '--data-dir', dataDir);
  const statusOf = async (path: string): Promise<number> => (await fetch(`http://127.0.0.1:${http}${path}`)).status;
  const line = connect(tcp, '127.0.0.1').on('error', () => undefined);
  line.write('hello\n');
  await once(line, 'data');
  expect(await statusOf('/admin/users')).toBe(200);

  const shut = async (name: string, operation: string): Promise<void> => {
    const file = join(mesh.folder, `${name}.yaml`);
    const from = 'from: [{ source: { principals: [echo.example/ns/default/sa/cart] } }]';
    writeFileSync(file, document(name, `{ action: DENY, rules: [{ ${from}, to: [{ operation: ${operation} }] }] }`));
    expect(await policy('apply', file)).toMatchObject({ code: 0, stderr: '' });
  };
  const within = { timeout: 1_000, interval: 10 };
  await shut('no-admin', `{ ports: ['${mesh.ports.echo.http}'], paths: [/admin/*] }`);
  await expect.poll(() => statusOf('/admin/users'), within).toBe(403);
  const refused = await fetch(`http://127.0.0.1:${http}/admin/users`);
  const explained = await mesh.eastwest('explain', String(refused.headers.get('x-eastwest-decision')));
  expect(explained).toMatchObject({ code: 1, stdout: expect.stringContaining('default/no-admin rules[0] denies it') });
  expect(await mesh.eastwest('explain', 'unknown')).toMatchObject({
    stderr: expect.stringContaining('no agent knows'),
  });
  expect(await statusOf('/%61dmin//users'), 'A56: in whatever spelling').toBe(403);
  expect(await statusOf('/users')).toBe(200);
  line.write('again\n');
  await once(line, 'data');

  const everywhere = join(mesh.folder, 'everywhere.yaml');
  writeFileSync(
    everywhere,
    document('everywhere', '{ action: DENY, rules: [{ to: [{ operation: { paths: [/a] } }] }] }'),
  );
  for (const verb of ['apply', 'diff']) {
    const { code, stderr } = await policy(verb, everywhere);
    expect(code).toBe(1);
    expect(stderr).toContain(`${everywhere}:4:`);
    expect(stderr).toContain(`port ${mesh.ports.echo.tcp} of default/echo, which speaks TCP`);
  }
  line.write('and again\n');
  await once(line, 'data');

  const applied = performance.now();
  const closed = new Promise((resolve) => line.once('close', resolve)); // perhaps before the command has ended
  await shut('no-lines', `{ ports: ['${mesh.ports.echo.tcp}'] }`);
  await closed;
  expect(performance.now() - applied).toBeLessThan(5_000); // the command's own start counts here
  expect((await policy('status')).code).toBe(0);
  expect(await policy('delete', 'AuthorizationPolicy/default/no-admin')).toMatchObject({ code: 0 });
  await expect.poll(() => statusOf('/admin/users'), within).toBe(200);
}, 60_000);
