import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGatewayProcess, type GatewayProcess } from '#support/gateway-process.ts';
import { lacks } from '#support/needs.ts';
import { lacksOpenssl3, runProgram } from '#support/programs.ts';

const what = 'curl, openssl and h2load at the gateway';

const isLacking = lacks(what, 'openssl', 'curl', 'h2load') || lacksOpenssl3(what);

describe.skipIf(isLacking).each([1, 2])('programs from outside at a gateway of %i threads (S1, S8)', (workers) => {
  let stage: GatewayProcess;
  let url: string;

  beforeAll(async () => {
    stage = await startGatewayProcess({ workers });
    url = `https://shop.example:${stage.https.port}`;
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  const curl = (...args: readonly string[]) => {
    const place = [
      '--resolve',
      `shop.example:${stage.https.port}:127.0.0.1`,
      ...stage.pem.curl(undefined, stage.outsideCa),
    ];
    return runProgram('curl', ['-sS', '--max-time', '20', ...place, ...args]);
  };
  const sClient = (args: readonly string[], input = '') => {
    const to = ['-connect', `127.0.0.1:${stage.https.port}`, '-servername', 'shop.example', '-verify_return_error'];
    return runProgram('openssl', ['s_client', ...to, ...stage.pem.openssl(undefined, stage.outsideCa), ...args], {
      input,
    });
  };

  test.each<[string, string[], string]>([
    ['HTTP/2', ['--http2'], '2'],
    ['HTTP/1.1', ['--http1.1'], '1.1'],
    ['no ALPN', ['--no-alpn'], '1.1'],
    ['TLS 1.2', ['--tls-max', '1.2'], '2'],
  ])('curl with %s', async (_name, options, version) => {
    const ran = await curl(...options, '-w', '\n%{http_version} %{http_code}', `${url}/price?a=b`);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toMatch(/"url":"\/price\?a=b"/);
    expect(ran.stdout.endsWith(`\n${version} 200`)).toBe(true);
  });

  test('A48: forged headers of curl do not reach the app', async () => {
    const forged = [
      'X-Forwarded-Client-Cert: URI=spiffe://shop.example/ns/default/sa/admin',
      'X_Forwarded_For: 10.9.9.9',
    ];
    await curl(...forged.flatMap((line) => ['-H', line]), `${url}/`);
    const headers = stage.app.seen.at(-1)!.headers.join('\n');
    expect(headers).toContain('URI=spiffe://shop.example/ns/default/sa/gateway');
    expect(headers).toMatch(/x-forwarded-for\n127\.0\.0\.1/);
    expect(headers).not.toMatch(/admin|10\.9\.9\.9/);
  });

  test('another host is answered 421, and nobody is shown another certificate for it', async () => {
    const ran = await curl('-w', '%{http_code}', '-H', 'Host: other.example', `${url}/`);
    expect(ran.stdout).toMatch(/This host is not served here.*421$/);
  });

  test.each(['-tls1_1', '-tls1'])('A45: TLS by %s is refused', async (version) => {
    const ran = await sClient([version, '-cipher', 'ALL:@SECLEVEL=0']);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/alert protocol version|no protocols available/);
  });

  test('TLS 1.2 has forward secrecy and AEAD only, and no renegotiation (A45)', async () => {
    const good = await sClient(['-tls1_2', '-no_ign_eof'], 'R\n');
    expect(good.stdout).toMatch(/Cipher is ECDHE-ECDSA-AES128-GCM-SHA256/);
    expect(good.stdout + good.stderr).toMatch(/no renegotiation|handshake failure|unexpected message/i);
    for (const cipher of ['AES128-SHA', 'ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256']) {
      const ran = await sClient(['-tls1_2', '-cipher', cipher]);
      expect(ran.code, cipher).not.toBe(0);
    }
  });

  test('h2load over many streams loses nothing while the certificate changes, and each request is a line of the log', async () => {
    const loads = () => stage.lines().filter(({ path }) => path === '/load'); // those of curl may still come
    const place = ['--connect-to', `127.0.0.1:${stage.https.port}`];
    const load = runProgram('h2load', ['-n', '20000', '-c', '8', '-m', '8', ...place, `${url}/load`], {
      deadlineMs: 50_000,
    });
    const swaps = setInterval(() => stage.renew(), 300);
    const ran = await load.finally(() => clearInterval(swaps));
    expect(ran.stdout).toMatch(/20000 succeeded, 0 failed, 0 errored, 0 timeout/);
    await expect.poll(() => loads().length, { timeout: 5_000 }).toBe(20_000);
    expect(loads().at(-1)).toMatchObject({
      ...{ workload: 'gateway', direction: 'gateway', client: '127.0.0.1', destination: 'orders:7002' },
      ...{ peer: 'spiffe://shop.example/ns/default/sa/orders', protocol: 'HTTP/2', path: '/load', status: 200 },
    });
    const metrics = (await stage.gateway.ask('GET', '/metrics')).body;
    expect(metrics).toMatch(/^eastwest_access_lines_dropped_total 0$/m);
    expect(metrics).toMatch(/^eastwest_responses_total\{direction="gateway",class="2xx"\} 2\d{4}$/m);
    expect(metrics).toMatch(/^eastwest_sessions_open [1-9]$/m);
  });
});
