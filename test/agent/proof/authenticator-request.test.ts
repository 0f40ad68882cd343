import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readAuthenticatorRequest, writeAuthenticatorRequest } from '#agent/proof/authenticator-request.ts';
import { handshakeMessage } from '#agent/proof/handshake-message.ts';
import { message, sized } from '#support/authenticator-recipe.ts';

const context = randomBytes(32);
/** ecdsa_secp256r1_sha256, in a list, in its extension. */
const schemes = Buffer.from('000d00040002' + '0403', 'hex');

test.each([
  ['client', 17],
  ['server', 13],
] as const)('a %s asks with a message of type %i', (asker, type) => {
  const request = writeAuthenticatorRequest(asker, context);
  const algorithms = Buffer.from('000d00080006' + '0403' + '0503' + '0804', 'hex');
  const body = Buffer.concat([Buffer.from([32]), context, Buffer.from([0, algorithms.length]), algorithms]);
  expect(request.message.whole).toEqual(message(type, body));
  expect(readAuthenticatorRequest(request.message, asker)).toEqual({ ok: true, value: request });
});

test.each<[what: string, asker: 'client' | 'server', type: number, body: Buffer, expected: string]>([
  ['as it should be', 'client', 17, bodyOf(context, schemes), '0403'],
  [
    'with an unknown extension, which is ignored',
    'client',
    17,
    bodyOf(context, Buffer.from('fafa0001aa', 'hex'), schemes),
    '0403',
  ],
  ['of the server’s type', 'client', 13, bodyOf(context, schemes), 'bad-request'],
  ['of the client’s type', 'server', 17, bodyOf(context, schemes), 'bad-request'],
  ['without a context', 'client', 17, bodyOf(Buffer.alloc(0), schemes), 'bad-request'],
  ['with a context that can be guessed', 'client', 17, bodyOf(Buffer.alloc(8), schemes), 'bad-request'],
  ['with a context of 33 bytes', 'client', 17, bodyOf(randomBytes(33), schemes), 'bad-request'],
  ['without extensions', 'client', 17, bodyOf(context), 'bad-request'],
  ['without signature algorithms', 'client', 17, bodyOf(context, Buffer.from('002f0000', 'hex')), 'bad-request'],
  ['with none in the list', 'client', 17, bodyOf(context, Buffer.from('000d00020000', 'hex')), 'bad-request'],
  ['with half of one in the list', 'client', 17, bodyOf(context, Buffer.from('000d0003000104', 'hex')), 'bad-request'],
  [
    'with a byte after the list',
    'client',
    17,
    bodyOf(context, Buffer.from('000d00050002040300', 'hex')),
    'bad-request',
  ],
  ['with them twice', 'client', 17, bodyOf(context, schemes, schemes), 'bad-request'],
  ['with an extension cut short', 'client', 17, bodyOf(context, schemes.subarray(0, -1)), 'bad-request'],
  ['with a byte too many', 'client', 17, Buffer.concat([bodyOf(context, schemes), Buffer.from([0])]), 'bad-request'],
  ['of nothing', 'client', 17, Buffer.alloc(0), 'bad-request'],
])('a request %s', (_what, ...[asker, type, body, expected]) => {
  const read = readAuthenticatorRequest(handshakeMessage(type, body), asker);
  const told = read.ok ? read.value.schemes.map((code) => code.toString(16).padStart(4, '0')).join() : read.reason;
  expect(told).toBe(expected);
});

describe('a request of any length, cut anywhere', () => {
  test('is never read beyond its end', () => {
    const whole = bodyOf(context, schemes);
    for (let length = 0; length < whole.length; length += 1) {
      const read = readAuthenticatorRequest(handshakeMessage(17, whole.subarray(0, length)), 'client');
      expect(read).toEqual({ ok: false, reason: 'bad-request' });
    }
  });
});

function bodyOf(ofContext: Buffer, ...extensions: Buffer[]): Buffer {
  return Buffer.concat([sized(1, ofContext), sized(2, Buffer.concat(extensions))]);
}
