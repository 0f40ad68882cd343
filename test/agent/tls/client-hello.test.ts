import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { alpnOffer } from '#agent/tls/client-hello.ts';

/** What Node's own TLS client says first. */
function helloOf(ALPNProtocols: readonly string[]): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write(chunk: Buffer) {
        resolve(chunk);
      },
    });
    connect({ socket: wire, ALPNProtocols: [...ALPNProtocols] }).on('error', () => undefined);
  });
}

/** The same handshake bytes in records of this size. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(records);
}

test.each([
  [['h2'], 'some'],
  [['http/1.1', 'h2'], 'some'],
  [[], 'none'],
])('a client that offers %j is told from the others, however its bytes come', async (protocols, expected) => {
  const hello = await helloOf(protocols);
  expect(alpnOffer(hello)).toBe(expected);
  expect(alpnOffer(inRecords(hello, 100))).toBe(expected);
  for (let length = 0; length < hello.length; length += 1) expect(alpnOffer(hello.subarray(0, length))).toBe('more');
});

test.each([
  ['474554202f20485454502f312e310d0a', 'HTTP'],
  ['150301000202', 'an alert'],
  ['16030100040200000000', 'another handshake message'],
])('%s (%s) is left to OpenSSL', (hex) => {
  expect(alpnOffer(Buffer.from(hex, 'hex'))).toBe('some');
});

test('a ClientHello without end is left to OpenSSL before it has filled memory (A54)', () => {
  const endless = Buffer.concat([Buffer.from('16030140000100ffff', 'hex'), Buffer.alloc(16_384)]);
  expect(alpnOffer(endless)).toBe('some');
});

test('no bytes make it fail', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const record = Buffer.concat([Buffer.from([22, 3, 1, 0, bytes.length]), bytes]);
      expect(['some', 'none', 'more']).toContain(alpnOffer(record));
    }),
  );
});
