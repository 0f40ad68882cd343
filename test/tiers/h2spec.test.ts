import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, http2Client, startHttp2App, type Http2App } from '#support/h2-apps.ts';
import { startMtlsRelay } from '#support/mtls-relay.ts';
import { lacks } from '#support/needs.ts';
import { startProcessPair, type ProcessPair } from '#support/process-pair.ts';
import { runProgram } from '#support/programs.ts';

const what = 'h2spec in strict mode';
const source = join(import.meta.dirname, '..', 'support', 'foreign', 'h2spec');

/** Why a case of h2spec does not pass, by the section and title that its report gives it. */
const explained: Readonly<Record<'outbound' | 'inbound', Readonly<Record<string, string>>>> = {
  outbound: {
    'http2/3.5: Sends invalid connection preface':
      'the port also speaks HTTP/1.1: what is no preface gets an HTTP/1.1 400, which h2spec cannot read, and is closed',
  },
  inbound: {},
};

describe.skipIf(lacks(what, 'go'))('h2spec in strict mode', () => {
  const stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-h2spec-'));
  const h2spec = join(folder, 'h2spec');
  let app: Http2App;
  let pair: ProcessPair;

  beforeAll(async () => {
    stack.defer(() => rmSync(folder, { recursive: true, force: true }));
    const build = ['build', '-C', source, '-o', h2spec, 'github.com/summerwind/h2spec/cmd/h2spec'];
    expect(await runProgram('go', build, { deadlineMs: 110_000 })).toMatchObject({ code: 0 });
    app = await startHttp2App((stream) => {
      // Not before the request is whole: an early answer ends the stream without an error, whatever would come then.
      stream.on('error', () => undefined).resume();
      stream.once('end', () => {
        if (stream.destroyed) return; // the case was a broken request
        stream.respond({ ':status': 200, 'content-type': 'text/plain' });
        stream.end('hello');
      });
    });
    stack.defer(() => app.end());
    pair = stack.use(await startProcessPair({ ports: [{ port: 7002, app: app.port, protocol: 'http2' }] }));
  }, 120_000);
  afterAll(() => stack.disposeAsync());

  /** Number of cases, and those that failed: `section: title`. */
  async function conform(port: number): Promise<{ readonly cases: number; readonly failed: readonly string[] }> {
    const path = join(folder, `${port}.xml`);
    const ran = await runProgram(h2spec, ['-S', '-p', `${port}`, '-o', '4', '-j', path], { deadlineMs: 55_000 });
    expect(ran.stderr).toBe('');
    return readReport(readFileSync(path, 'utf8'));
  }

  async function stillServes(port: number): Promise<void> {
    const session = http2Client(port);
    const reply = await ask(session, { ':path': '/', ':authority': 'prices' });
    session.destroy();
    expect(reply).toMatchObject({ status: 200, body: 'hello' });
  }

  test('finds no failure at the outbound h2c port that is not explained (A52)', async () => {
    const port = await pair.upstreamPort(7002);
    const { cases, failed } = await conform(port);
    expect(cases).toBeGreaterThanOrEqual(146);
    expect(failed.toSorted()).toEqual(Object.keys(explained.outbound).toSorted());
    await stillServes(port);
  });

  test('finds no failure at the inbound port, behind mTLS, that is not explained (A52)', async () => {
    const own = { ca: pair.ca, certificate: pair.ca.leaf('cart'), alpn: ['h2'] };
    await using relay = await startMtlsRelay(pair.inbound.port, own);
    const { cases, failed } = await conform(relay.port);
    expect(cases).toBeGreaterThanOrEqual(146);
    expect(failed.toSorted()).toEqual(Object.keys(explained.inbound).toSorted());
    await stillServes(relay.port);
  });
});

/** Of JUnit's XML, one element a line, in the form that h2spec writes. */
function readReport(xml: string): { readonly cases: number; readonly failed: readonly string[] } {
  const cases = [...xml.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([^]*?)<\/testcase>/g)];
  const failed = cases.filter(([, , , content]) => /<(failure|error)/.test(content ?? ''));
  return { cases: cases.length, failed: failed.map(([, section, title]) => `${section}: ${title}`) };
}
