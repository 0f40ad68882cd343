import { describe, expect, test } from 'vitest';
import { createIdentityStore } from '#agent/identity/store.ts';
import { fromFaultMessage, toEventMessage, toFaultMessage } from '#agent/workers/fault-message.ts';
import { fromIdentityMessage, toIdentityMessage } from '#agent/workers/identity-message.ts';
import { createTrustBundle, rootsOf } from '#certs/trust-bundle.ts';
import { Fault } from '#runtime/fault.ts';
import { describeError } from '#runtime/log.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });

function snapshot() {
  return createIdentityStore().replace(identityOf(ca.leaf('prices'), { ca, nowMs }));
}

describe('an identity that was sent to another thread', () => {
  test('is the same SVID, key and bundle, as they can be used', () => {
    const sent = snapshot();
    const received = fromIdentityMessage(structuredClone(toIdentityMessage(sent, nowMs)));
    expect(received.svid).toEqual(sent.svid);
    expect(received.svid.chainDer.every((der) => Buffer.isBuffer(der))).toBe(true);
    expect(received.privateKey.equals(sent.privateKey)).toBe(true);
    expect(rootsOf(received.bundle)).toHaveLength(1);
    expect(received.issuedAtMs).toBe(sent.issuedAtMs);
  });

  test.each([
    ['long after its end', 1e12],
    ['before its beginning, by a clock that was set back', -1e12],
  ])('stands for whoever looks at it %s: the time is for its users to judge', (_when, byMs) => {
    const message = structuredClone(toIdentityMessage(snapshot(), nowMs + byMs));
    expect(fromIdentityMessage(message).svid.spiffeId).toBe(snapshot().svid.spiffeId);
  });

  test('is refused when its roots are others', () => {
    const other = createTrustBundle({ ...ca.bundle, roots: createTestCa({ nowMs }).bundle.roots });
    if (!other.ok) throw new Error(other.reason);
    const message = toIdentityMessage({ ...snapshot(), bundle: other.value }, nowMs);
    expect(() => fromIdentityMessage(structuredClone(message))).toThrow('unknown-authority');
  });

  test('is refused without a root', () => {
    const message = toIdentityMessage(snapshot(), nowMs);
    const without = { ...message, bundle: { ...message.bundle, roots: [] } };
    expect(() => fromIdentityMessage(without)).toThrow('no-roots');
  });
});

describe('an error that was sent to another thread', () => {
  test('of ours keeps code, message, hint and what was behind it', () => {
    const cause = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' });
    const fault = new Fault('LISTEN_FAILED', 'cannot listen on 127.0.0.1:7', { cause, hint: 'stop the other one' });
    const received = fromFaultMessage(structuredClone(toFaultMessage(fault)));
    expect(received).toBeInstanceOf(Fault);
    expect([received.code, received.message, received.hint]).toEqual([fault.code, fault.message, fault.hint]);
    expect(describeError(received)).toBe('LISTEN_FAILED cannot listen on 127.0.0.1:7 ← listen EADDRINUSE');
  });

  test.each([
    [new TypeError('no such thing'), 'WORKER_FAILED no such thing'],
    ['thrown text', 'WORKER_FAILED thrown text'],
    [undefined, 'WORKER_FAILED unknown error'],
  ])('%s is a worker that failed', (error, said) => {
    expect(describeError(fromFaultMessage(structuredClone(toFaultMessage(error))))).toBe(said);
  });

  test('in an event is what the log would say of it', () => {
    const error = new Fault('ISSUER_UNREACHABLE', 'no answer', { cause: new Error('reset') });
    const event = { event: 'listener.failed', purpose: 'inbound', error } as const;
    expect(structuredClone(toEventMessage(event))).toEqual({
      ...event,
      error: 'ISSUER_UNREACHABLE no answer ← reset',
    });
    const other = { event: 'worker.silent', worker: 2 } as const;
    expect(toEventMessage(other)).toBe(other);
  });
});
