import { expect, test } from 'vitest';
import { requestSvid } from '#agent/identity/issuer-client.ts';
import { ok } from '#runtime/result.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createTestCa } from '#support/test-ca.ts';

const startMs = Date.UTC(2026, 0, 1);
const { bundle: trustBundle } = createTestCa({ nowMs: startMs });

/** `aheadMs`: the issuer's clock minus ours, in truth. */
test.each([
  { what: 'a quick answer tells it', aheadMs: 40_000, signedAfterMs: 0, lastedMs: 0, knownSkewMs: 0, skewMs: 40_000 },
  {
    what: 'a slow answer, signed at its end, is no skew',
    aheadMs: 0,
    signedAfterMs: 900,
    lastedMs: 900,
    knownSkewMs: 0,
    skewMs: 0,
  },
  {
    what: 'a slow answer, signed at once, is no skew',
    aheadMs: 0,
    signedAfterMs: 0,
    lastedMs: 900,
    knownSkewMs: 0,
    skewMs: 0,
  },
  {
    what: 'a slow answer does not change what it allows',
    aheadMs: 300,
    signedAfterMs: 500,
    lastedMs: 900,
    knownSkewMs: 300,
    skewMs: 300,
  },
  {
    what: 'of a large skew a slow answer tells the least',
    aheadMs: 5_000,
    signedAfterMs: 900,
    lastedMs: 900,
    knownSkewMs: 0,
    skewMs: 5_000,
  },
  {
    what: 'also of a clock behind ours',
    aheadMs: -5_000,
    signedAfterMs: 0,
    lastedMs: 900,
    knownSkewMs: 0,
    skewMs: -5_000,
  },
  { what: 'what is known no longer fits', aheadMs: 0, signedAfterMs: 0, lastedMs: 0, knownSkewMs: 40_000, skewMs: 0 },
])('the skew of clocks: $what (A68)', async ({ aheadMs, signedAfterMs, lastedMs, knownSkewMs, skewMs }) => {
  const clock = createFakeClock(startMs);
  const call = async () => {
    await clock.advance(signedAfterMs);
    const signedAtMs = clock.now() + aheadMs;
    await clock.advance(lastedMs - signedAfterMs);
    return ok({ chain: [], trustBundle, signedAtMs });
  };
  const tools = { call, clock, deadlineMs: 10_000, knownSkewMs };
  const answer = await requestSvid({ kind: 'current-svid' }, tools, new AbortController().signal);
  expect(answer).toMatchObject({ ok: true, value: { skewMs } });
});
