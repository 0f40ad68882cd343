import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { H2Session, H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import {
  createReProofServer,
  offerReProof,
  reProofContentType,
  reProofPath,
  type ReProofParts,
} from '#agent/proof/re-proof.ts';
import { someKeys } from '#support/authenticator-recipe.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });
const keys = someKeys();
const [orders, prices] = ['orders', 'prices'].map((name) => identityOf(ca.leaf(name), { ca, nowMs }));

/** A stream that writes down what is done to it, as one text per call. */
class RecordedStream implements H2Stream {
  readonly id = 1;
  handler: H2StreamHandler = { onHeaders() {}, onData() {}, onEnd() {}, onReset() {}, onDrain() {} };
  readonly isOpen = true;
  readonly unsentBytes = 0;
  readonly calls: string[] = [];
  readonly sent: Buffer[] = [];

  headers(fields: readonly HeaderField[], end: boolean): void {
    this.calls.push(`${fields.map(({ name, value }) => `${name}=${value}`).join(' ')}${end ? ' END' : ''}`);
  }
  data(bytes: Buffer): boolean {
    this.calls.push(`data type ${bytes.readUInt8(0)}`);
    this.sent.push(Buffer.from(bytes));
    return true;
  }
  text(): boolean {
    return true;
  }
  end(): void {
    this.calls.push('end');
  }
  reset(code: number): void {
    this.calls.push(`reset ${code}`);
  }
  pause(): void {}
  resume(): void {}
}

/** One end's view of a session between orders (client) and prices (server). */
function endOf(role: 'client' | 'server') {
  const [own, peer] = role === 'client' ? [orders!, prices!] : [prices!, orders!];
  const identity = createIdentityStore();
  identity.replace(own);
  const proved: string[] = [];
  const failed: string[] = [];
  const parts: ReProofParts = {
    keys,
    identity,
    shown: own.svid,
    peer: { spiffeId: peer.svid.spiffeId, svid: peer.svid },
    clock: createFakeClock(nowMs),
    randomBytes,
    onProved: ({ svid }) => void proved.push(svid.serialHex),
    onShown: () => undefined,
    onFailed: (reason) => void failed.push(reason),
  };
  const name = role === 'client' ? 'orders' : 'prices';
  return {
    parts,
    proved,
    failed,
    rotate: () => identity.replace(identityOf(ca.leaf(name, { notAfterMs: nowMs + 7_200_000 }), { ca, nowMs })),
  };
}

function offered(end = endOf('client')) {
  const stream = new RecordedStream();
  const session = {
    request(fields: readonly HeaderField[], ended: boolean, handler: H2StreamHandler) {
      stream.handler = handler;
      stream.headers(fields, ended);
      return stream;
    },
  } as unknown as H2Session;
  return { ...end, stream, reProof: offerReProof(session, '10.0.0.7:15008', end.parts) };
}

const head = (fields: Record<string, string>): HeaderField[] =>
  Object.entries(fields).map(([name, value]) => ({ name, rawName: name, value }));

const goodOffer = { ':method': 'POST', ':path': reProofPath, 'content-type': reProofContentType };
const goodAnswer = { ':status': '200', 'content-type': reProofContentType };

describe('the dialling end', () => {
  test('offers re-proof on a stream of its own, and asks once it was taken', () => {
    const { stream, reProof } = offered();
    const offer = ':method=POST :scheme=https :authority=10.0.0.7:15008 :path=/eastwest.v1/re-proof';
    expect(stream.calls).toEqual([`${offer} content-type=application/tls-exported-authenticator`]);
    expect(reProof.isRunning).toBe(false);
    stream.handler.onHeaders(head({ ':status': '103' }), false);
    expect(reProof.isRunning).toBe(false);
    stream.handler.onHeaders(head(goodAnswer), false);
    expect(reProof.isRunning).toBe(true);
    expect(stream.calls.slice(1)).toEqual(['data type 17']);
  });

  test.each([
    ['404', { ':status': '404' }],
    ['401', { ':status': '401' }],
    ['200 of another kind, as from a foreign server', { ':status': '200', 'content-type': 'text/html' }],
    ['200 without a kind', { ':status': '200' }],
    ['no status at all', {}],
  ])('takes %s for no: it gives the stream up, and nothing else happens', (_what, answer) => {
    const { stream, reProof, failed, rotate } = offered();
    stream.handler.onHeaders(head(answer), false);
    stream.handler.onData(Buffer.from('<html>'));
    stream.handler.onReset(0);
    rotate();
    expect(stream.calls.slice(1)).toEqual(['reset 8']);
    expect([reProof.isRunning, failed]).toEqual([false, []]);
  });

  test.each([
    ['a reset', (handler: H2StreamHandler) => handler.onReset(0xd)],
    ['its end', (handler: H2StreamHandler) => handler.onEnd()],
    ['trailers', (handler: H2StreamHandler) => handler.onHeaders([], true)],
  ])('takes %s of a running stream for the end of re-proof, not of the session', (_what, happens) => {
    const { stream, reProof, failed, rotate } = offered();
    stream.handler.onHeaders(head(goodAnswer), false);
    happens(stream.handler);
    rotate();
    expect([reProof.isRunning, failed]).toEqual([false, []]);
    expect(stream.calls.filter((call) => call.startsWith('data'))).toHaveLength(1);
  });

  test('ends the stream in order when the session is drained', () => {
    const { stream, reProof, rotate } = offered();
    stream.handler.onHeaders(head(goodAnswer), false);
    reProof.end();
    reProof.end();
    rotate();
    stream.handler.onHeaders(head(goodAnswer), false);
    expect(stream.calls.slice(1)).toEqual(['data type 17', 'end']);
    expect(reProof.isRunning).toBe(false);
  });

  test('does without where no stream can be opened', () => {
    const session = { request: () => undefined } as unknown as H2Session;
    const reProof = offerReProof(session, 'prices:15008', endOf('client').parts);
    expect(reProof.isRunning).toBe(false);
    reProof.end();
  });
});

describe('the accepting end', () => {
  test('takes an offer, says so, and asks', () => {
    const server = createReProofServer(endOf('server').parts);
    const stream = new RecordedStream();
    expect(server.accept(stream, head(goodOffer), false)).toBe(true);
    expect(stream.calls).toEqual([':status=200 content-type=application/tls-exported-authenticator', 'data type 13']);
    expect(server.isRunning).toBe(true);
    server.end();
    expect(stream.calls.at(-1)).toBe('end');
  });

  test('leaves streams of other paths alone', () => {
    const server = createReProofServer(endOf('server').parts);
    const stream = new RecordedStream();
    const { handler } = stream;
    for (const path of ['/', '/eastwest.v1/re-proof/', '/eastwest.v1/re-proof?a', '/EASTWEST.v1/re-proof']) {
      expect(server.accept(stream, head({ ...goodOffer, ':path': path }), false)).toBe(false);
    }
    expect(server.accept(stream, head({ ...goodOffer, 'x-eastwest-port': '7002' }), false)).toBe(false); // an app's
    expect(server.accept(stream, head({ ':method': 'CONNECT', ':authority': 'a:1' }), false)).toBe(false);
    expect([stream.calls, stream.handler]).toEqual([[], handler]);
  });

  test.each([
    ['405', { ...goodOffer, ':method': 'GET' }, false],
    ['415', { ...goodOffer, 'content-type': 'application/json' }, false],
    ['400', goodOffer, true],
  ])('answers a malformed offer with %s', (status, fields, end) => {
    const server = createReProofServer(endOf('server').parts);
    const stream = new RecordedStream();
    expect(server.accept(stream, head(fields), end)).toBe(true);
    stream.handler.onData(Buffer.from('more'));
    expect(stream.calls).toEqual([`:status=${status} END`]);
    expect(server.isRunning).toBe(false);
  });

  test.each(['while the first runs', 'after the first has ended'])('answers a second offer with 409 %s', (when) => {
    const server = createReProofServer(endOf('server').parts);
    const [first, second] = [new RecordedStream(), new RecordedStream()];
    server.accept(first, head(goodOffer), false);
    if (when.startsWith('after')) first.handler.onEnd();
    expect(server.accept(second, head(goodOffer), false)).toBe(true);
    expect(second.calls).toEqual([':status=409 END']);
    expect(server.isRunning).toBe(when.startsWith('while'));
  });

  test('whose session is over takes no offer', () => {
    const server = createReProofServer(endOf('server').parts);
    server.end();
    const stream = new RecordedStream();
    expect(server.accept(stream, head(goodOffer), false)).toBe(true);
    expect(stream.calls).toEqual([':status=409 END']);
  });

  test('tells the session of a peer’s bad proof', () => {
    const end = endOf('server');
    const server = createReProofServer(end.parts);
    const stream = new RecordedStream();
    server.accept(stream, head(goodOffer), false);
    stream.handler.onData(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    expect(end.failed).toEqual(['unexpected-message']);
  });
});

test('both ends prove what they rotate to', () => {
  const [client, server] = [offered(), endOf('server')];
  const accepting = createReProofServer(server.parts);
  const stream = new RecordedStream();
  accepting.accept(stream, head(goodOffer), false);
  client.stream.handler.onHeaders(head(goodAnswer), false);
  const relay = (): void => {
    for (const bytes of client.stream.sent.splice(0)) stream.handler.onData(bytes);
    for (const bytes of stream.sent.splice(0)) client.stream.handler.onData(bytes);
  };
  relay();
  const [next, other] = [client.rotate(), server.rotate()];
  relay();
  expect(server.proved).toEqual([next.svid.serialHex]);
  expect(client.proved).toEqual([other.svid.serialHex]);
});
