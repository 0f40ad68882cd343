import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listening, type Listening } from '#support/listening.ts';
import { sendRawHeads } from '#support/raw-heads.ts';
import { seededRandom } from '#support/seeded-random.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const methods = ['GET', 'POST', 'get', 'HEAD', 'OPTIONS', 'LIST', 'G@T', '', 'POST\0', 'SOURCE', 'DESCRIBE', 'CONNECT'];
const targets = ['/', '/a b', 'http://a/', '*', 'a:80', '/HTTP/1.1', ''];
const versions = [
  'HTTP/1.1',
  'http/1.1',
  'HTTP/0.9',
  'HTTP/',
  'RTSP/1.0',
  'ICE/1.0',
  'XTTP/1.1',
  '1.1',
  'HTTP\\1.1',
  '',
];
const head = 'Host: a\r\nContent-Length: 0\r\nConnection: close\r\nX-Forwarded-Client-Cert: forged\r\n\r\n';

/** Lines that no strict server reads, and some that each does. */
const heads = [
  ...methods.flatMap((method) =>
    targets.flatMap((target) => versions.map((version) => `${method} ${target} ${version}\r\n`)),
  ),
  ...methods.flatMap((method) =>
    [' ', '\t', '\0', '  '].flatMap((blank) => ['\r\n', '\n', '\r', ' \r\n'].map((end) => `${method}${blank}/${end}`)),
  ),
  ...['\r\n', '\n', '\0', 'x\r\n'].flatMap((before) => methods.map((method) => `${before}${method} /\r\n`)),
].map((line) => line + head);

describe.each([{ insecureHTTPParser: false }, { insecureHTTPParser: true }])(
  'A48: an app in Node behind a port of protocol auto (%o)',
  async (options) => {
    const world = await usePairWorld();
    /** What the app was told of its callers. */
    const told: string[] = [];
    let app: Listening;

    beforeAll(async () => {
      const server = createServer(options, (request, reply) => {
        told.push(String(request.headers['x-forwarded-client-cert']));
        reply.end();
      });
      app = await listening(server, () => server.closeAllConnections());
    });
    afterAll(() => app[Symbol.asyncDispose]());

    test('read by itself it believes whoever forges, without a version too', async () => {
      told.length = 0;
      await sendRawHeads(app.port, heads, () => 1);
      expect(told.filter((caller) => caller === 'forged').length).toBeGreaterThan(30);
    });

    const random = seededRandom(48);

    test.each([() => 1, () => 300, ({ length }: string) => Math.floor(random() * length)])(
      'it is never told what a peer forged (%#)',
      async (cutAt) => {
        const { port } = await world.pair(app.port, { protocol: 'auto', upstream: { protocol: 'tcp' } });
        told.length = 0;
        await sendRawHeads(port, heads, cutAt);
        expect(told.filter((caller) => !caller.includes('URI=spiffe://'))).toEqual([]);
        expect(told.length, 'what is HTTP passes').toBeGreaterThan(3);
      },
      60_000,
    );
  },
);
