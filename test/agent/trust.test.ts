import { describe, expect, test } from 'vitest';
import { acceptBundle } from '#agent/identity/trust.ts';
import { bundleOf } from '#support/fake-issuer.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });
const nextCa = createTestCa({ nowMs });
const { svid } = identityOf(ca.leaf('prices'), { ca, nowMs });
const ours = bundleOf(3, ca);

describe('a bundle that the control plane offers', () => {
  test.each([
    ['with a new root beside the old', bundleOf(4, ca, nextCa), nowMs, 'accepted'],
    ['that we have already', bundleOf(3, ca), nowMs, 'accepted'],
    ['of an earlier version', bundleOf(2, ca, nextCa), nowMs, 'version-went-backwards'],
    ['of our version with other roots', bundleOf(3, ca, nextCa), nowMs, 'same-version-other-roots'],
    ['without the root that signed us', bundleOf(4, nextCa), nowMs, 'own-svid-unverifiable'],
    [
      'of another trust domain',
      bundleOf(4, createTestCa({ nowMs, trustDomain: 'evil.example' })),
      nowMs,
      'other-trust-domain',
    ],
    ['with no roots', { ...bundleOf(4, ca), roots: [] }, nowMs, 'no-roots'],
    ['with a new root, when our SVID has expired', bundleOf(4, ca, nextCa), nowMs + 48 * 3_600_000, 'accepted'],
  ])('%s: %s', (_name, offered, atMs, expected) => {
    const accepted = acceptBundle(ours, offered, { svid, nowMs: atMs });
    expect(accepted.ok ? 'accepted' : accepted.reason).toBe(expected);
  });
});
