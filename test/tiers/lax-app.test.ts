import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lacks } from '#support/needs.ts';
import { startPythonApp, type PythonApp } from '#support/python-app.ts';
import { sendRawHeads } from '#support/raw-heads.ts';
import { seededRandom } from '#support/seeded-random.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

interface Read {
  readonly method: string;
  /** What the app was told of its caller. */
  readonly caller: string;
}

const everyByte = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
const head = ' / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: forged\r\n\r\n';

/** Every byte before, within, behind and instead of a method, and lines that no strict server reads. */
const lines = [
  ...everyByte.flatMap((byte) => [byte, `${byte}GET`, `G${byte}T`, `GET${byte}`, `${byte}${byte} ${byte}`]),
  ...['"GET"', '[]', '@POST', 'GET\0', '\0\0\0\x08', '\x16\x03\x01', '{"a":1}', '(', ')(', '\r', '\r\n\r\nG,T', 'é'],
].map((method) => method + head);

describe.skipIf(lacks('a lax server behind a port of protocol auto', 'python3'))(
  'A48: an app that takes any word for a method (wsgiref), behind a port of protocol auto',
  async () => {
    const world = await usePairWorld();
    const reads: Read[] = [];
    let app: PythonApp;

    beforeAll(async () => {
      app = await startPythonApp<Read>('lax-server.py', (read) => void reads.push(read));
    });
    afterAll(() => app[Symbol.asyncDispose]());

    test('read by itself it believes whoever forges', async () => {
      reads.length = 0;
      await sendRawHeads(app.port, lines, () => 1);
      expect(reads.filter(({ caller }) => caller === 'forged').length).toBeGreaterThan(lines.length / 2);
    });

    const random = seededRandom(48);
    const anywhere = ({ length }: string): number => Math.floor(random() * length);

    test.each([
      { transport: 'tunnel', cuts: [() => 1, () => 300, anywhere] },
      { transport: 'mtls', cuts: [anywhere] }, // a handshake for each line
    ] as const)(
      'it is never told what a peer forged, whatever byte and wherever cut ($transport)',
      async ({ transport, cuts }) => {
        const upstream = { protocol: 'tcp' } as const; // cart's agent passes on what a hostile peer would say
        const { port } = await world.pair(app.port, { protocol: 'auto', transport, upstream });
        reads.length = 0;
        for (const cutAt of cuts) await sendRawHeads(port, lines, cutAt);
        expect(reads.filter(({ caller }) => !caller.includes('URI=spiffe://'))).toEqual([]);
        expect(reads.length, 'what is HTTP passes').toBeGreaterThan(10);
      },
      60_000,
    );
  },
);
