import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildAuthenticator, message, type AuthenticatorRecipe } from '#support/authenticator-recipe.ts';
import { createProofPair, type ProofPair } from '#support/proof-pair.ts';
import type { TestCertificate } from '#support/test-ca.ts';

/** Both ends have asked each other. */
function begun(): ProofPair {
  const pair = createProofPair();
  pair.client.exchange.begin();
  pair.server.exchange.begin();
  pair.settle();
  return pair;
}

const serialOf = ({ der }: TestCertificate, pair: ProofPair): string => {
  const { client, server } = pair;
  const all = [client, server].map(({ identity }) => identity.current()!.svid);
  return all.find(({ chainDer }) => chainDer[0]?.equals(der))?.serialHex ?? 'not current';
};

describe('two ends with the certificates of their handshake', () => {
  test('keep one request with each other and show nothing', async () => {
    const pair = begun();
    await pair.clock.advance(3_600_000);
    pair.settle();
    expect([pair.client.sent.length, pair.server.sent.length]).toEqual([1, 1]);
    expect([pair.client.proved, pair.server.proved]).toEqual([[], []]);
  });
});

describe('a rotation', () => {
  test.each(['client', 'server'] as const)('of the %s is proved to the other end at once', (role) => {
    const pair = begun();
    const other = role === 'client' ? pair.server : pair.client;
    const leaf = pair[role].rotate();
    pair.settle();
    expect(other.proved).toEqual([serialOf(leaf, pair)]);
    expect(pair[role].shown).toEqual([serialOf(leaf, pair)]);
    expect(pair[role].proved).toEqual([]);
  });

  test('of both at once is proved both ways, in pieces of 7 bytes', () => {
    const pair = begun();
    const [ofClient, ofServer] = [pair.client.rotate(), pair.server.rotate()];
    pair.settle(7);
    expect(pair.server.proved).toEqual([serialOf(ofClient, pair)]);
    expect(pair.client.proved).toEqual([serialOf(ofServer, pair)]);
  });

  test('during the first round trip is proved as soon as the request comes', () => {
    const pair = createProofPair();
    const leaf = pair.server.rotate();
    pair.client.exchange.begin();
    pair.settle();
    expect(pair.client.proved).toEqual([serialOf(leaf, pair)]);
  });

  test('a hundred times is proved a hundred times', async () => {
    const pair = begun();
    for (let round = 1; round <= 100; round += 1) {
      const leaf = (round % 2 === 0 ? pair.client : pair.server).rotate();
      pair.settle();
      await pair.clock.advance(5_000);
      pair.settle();
      expect((round % 2 === 0 ? pair.server : pair.client).proved.at(-1)).toBe(serialOf(leaf, pair));
    }
    expect([pair.client.failed, pair.server.failed]).toEqual([[], []]);
  });

  test('right after another waits until it is asked for, and then the newest is shown', async () => {
    const pair = begun();
    pair.client.rotate();
    pair.settle();
    pair.client.rotate();
    const newest = pair.client.rotate();
    pair.settle();
    expect(pair.server.proved).toHaveLength(1);
    await pair.clock.advance(200);
    pair.settle();
    expect(pair.server.proved).toHaveLength(2);
    expect(pair.server.proved[1]).toBe(serialOf(newest, pair));
  });

  test('to another name is not shown: the session keeps the one it has', () => {
    const pair = begun();
    pair.client.rotate({ workload: 'refunds' });
    pair.settle();
    expect([pair.server.proved, pair.server.failed]).toEqual([[], []]);
  });

  test('that comes back to the certificate already shown shows nothing', () => {
    const pair = begun();
    const before = pair.client.identity.current()!;
    pair.client.identity.replace(before);
    pair.settle();
    expect(pair.client.shown).toEqual([]);
  });

  test('to a certificate that has expired by the time it is asked for shows nothing', async () => {
    const pair = createProofPair();
    pair.client.rotate({ notAfterMs: pair.clock.now() + 1_000 });
    await pair.clock.advance(1_000);
    pair.server.exchange.begin();
    pair.settle();
    expect(pair.client.shown).toEqual([]);
  });

  test('after the end of the exchange sends nothing, and leaves nothing behind', () => {
    const pair = begun();
    pair.client.exchange.close();
    pair.client.rotate();
    pair.client.exchange.receive(pair.server.sent[0]!);
    pair.client.exchange.begin();
    expect(pair.client.sent).toHaveLength(1);
    pair.server.exchange.close();
    expect(pair.clock.waiting()).toBe(0);
  });
});

/** What a client of its own making sends on a session whose server is ours and has asked. */
const attacks: [what: string, send: (pair: ProofPair) => Buffer[], reason: string][] = [
  [
    'the old authenticator again, before it is asked for another (replay)',
    (pair) => [proof(pair), proof(pair)],
    'not-asked',
  ],
  ['an authenticator for another request', (pair) => [proof(pair, { context: Buffer.alloc(32) })], 'other-context'],
  ['another workload’s certificate', (pair) => [proof(pair, certificateOf(pair.ca.leaf('prices')))], 'other-identity'],
  [
    'an expired certificate',
    (pair) => [proof(pair, certificateOf(pair.ca.leaf('orders', { notAfterMs: pair.clock.now() })))],
    'expired',
  ],
  [
    'a certificate it has no key of',
    (pair) => [proof(pair, { chainDer: pair.ca.leaf('orders').chainDer })],
    'bad-signature',
  ],
  ['a proof of another connection', (pair) => [proof(pair, { keys: createProofPair().keys })], 'bad-finished'],
  ['its request as our own', (pair) => [pair.server.sent[0]!], 'unexpected-message'],
  ['a second request before the first is answered', (pair) => [pair.client.sent[0]!], 'unexpected-message'],
  [
    'a request in the middle of an authenticator',
    (pair) => [pieces(pair)[0], pair.client.sent[0]!],
    'unexpected-message',
  ],
  ['two Certificates', (pair) => [pieces(pair)[0], pieces(pair)[0]], 'unexpected-message'],
  ['CertificateVerify first', (pair) => [pieces(pair)[1]], 'unexpected-message'],
  ['Finished after Certificate', (pair) => [pieces(pair)[0], pieces(pair)[2]], 'unexpected-message'],
  ['an empty authenticator', (pair) => [pieces(pair)[2]], 'empty-authenticator'],
  ['a Certificate of more than 64 KiB', () => [Buffer.from('0b010001', 'hex')], 'message-too-long'],
  ['garbage', () => [Buffer.from('GET / HTTP/1.1\r\n\r\n')], 'unexpected-message'],
];

describe('a peer that sends', () => {
  test.each(attacks)('%s', (_what, send, reason) => {
    const pair = begun();
    for (const bytes of send(pair)) pair.server.exchange.receive(bytes);
    expect(pair.server.failed).toEqual([reason]);

    const sent = pair.server.sent.length;
    pair.server.rotate();
    pair.server.exchange.receive(proof(pair));
    expect([pair.server.sent.length, pair.server.failed.length]).toEqual([sent, 1]); // it is over, once and for all
    expect(pair.clock.waiting()).toBe(0);
  });

  test('the old authenticator again, when it is asked for another (replay)', async () => {
    const pair = begun();
    const old = proof(pair);
    pair.server.exchange.receive(old);
    await pair.clock.advance(200);
    expect([pair.server.proved.length, pair.server.sent.length]).toEqual([1, 2]);
    pair.server.exchange.receive(old);
    expect(pair.server.failed).toEqual(['other-context']);
  });

  test('the same request context twice', async () => {
    const pair = begun();
    pair.server.rotate();
    pair.server.exchange.receive(pair.client.sent[0]!);
    expect(pair.server.failed).toEqual(['bad-request']);
  });

  test('a malformed request', () => {
    const pair = createProofPair();
    pair.server.exchange.receive(message(17, Buffer.alloc(3)));
    expect(pair.server.failed).toEqual(['bad-request']);
  });

  test('an authenticator before anybody asked', () => {
    const pair = createProofPair();
    pair.server.exchange.receive(message(11, Buffer.alloc(3)));
    expect(pair.server.failed).toEqual(['not-asked']);
  });

  test('proof after proof is asked again every 200 ms and no sooner', async () => {
    const pair = begun();
    for (let round = 0; round < 5; round += 1) {
      pair.server.exchange.receive(proof(pair));
      expect(pair.server.sent).toHaveLength(1 + round);
      await pair.clock.advance(199);
      expect(pair.server.sent).toHaveLength(1 + round);
      await pair.clock.advance(1);
    }
    expect(pair.server.failed).toEqual([]);
  });
});

test('whatever a peer sends, changed anywhere and in any order, is taken or refused, and proves nobody else', () => {
  const pair = begun();
  const [certificate, verify, finished] = pieces(pair);
  const good = [certificate, verify, finished, pair.client.sent[0]!, pair.server.sent[0]!];
  const change = fc.record({ index: fc.nat(4), at: fc.nat(2_000), byte: fc.nat(255), cut: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
      const { server, clock } = withSameKeys(pair);
      server.exchange.begin();
      for (const { index, at, byte, cut } of changes) {
        const bytes = Buffer.from(good[index]!);
        if (at < bytes.length) bytes[at] = byte;
        server.exchange.receive(bytes.subarray(0, bytes.length - (cut > 30 ? cut : 0)));
      }
      server.exchange.close();
      expect(server.proved).toEqual([]); // they were made for another request
      expect(server.failed.length).toBeLessThanOrEqual(1);
      expect(clock.waiting()).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test('a session that ends in the middle of a judgement is not asked anything more', async () => {
  const pair = begun();
  pair.server.proved.push = () => {
    pair.server.exchange.close();
    return 0;
  };
  pair.server.exchange.receive(proof(pair));
  await pair.clock.advance(1_000);
  expect([pair.server.sent.length, pair.server.failed.length, pair.clock.waiting()]).toEqual([1, 0, 0]);
});

/** A fresh pair on the connection of another one. */
function withSameKeys({ keys, ca }: ProofPair): ProofPair {
  return createProofPair({ keys, ca });
}

/** A good answer of the client to the server's last request, changed as the recipe says. */
function proof(pair: ProofPair, changes: Partial<AuthenticatorRecipe> = {}): Buffer {
  return Buffer.concat(pieces(pair, changes));
}

function pieces(pair: ProofPair, changes: Partial<AuthenticatorRecipe> = {}): [Buffer, Buffer, Buffer] {
  const { svid, privateKey } = pair.client.identity.current()!;
  const request = pair.server.sent.at(-1)!;
  return buildAuthenticator({
    keys: pair.keys,
    sender: 'client',
    request,
    chainDer: svid.chainDer,
    privateKey,
    ...changes,
  });
}

function certificateOf(leaf: TestCertificate): Partial<AuthenticatorRecipe> {
  return { chainDer: leaf.chainDer, privateKey: leaf.keys.privateKey };
}
