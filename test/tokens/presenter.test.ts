import { describe, expect, test } from 'vitest';
import { checkPresenter, verifyAccessToken } from '#tokens/access-token.ts';
import type { Presenter, UnboundTokens } from '#tokens/confirmation.ts';
import { accessToken, must, rules, thumbprint, verdict, x5t } from '#support/tokens.ts';

const jkt = Buffer.from('cd'.repeat(32), 'hex').toString('base64url');
const nobody: Presenter = { certificateThumbprint: undefined, dpopThumbprint: undefined };
const ours = { ...nobody, certificateThumbprint: thumbprint };
const others = { ...nobody, certificateThumbprint: 'ba'.repeat(32) };
const dpop = { ...nobody, dpopThumbprint: jkt };
const byCertificate = { 'x5t#S256': x5t };

describe('who shows an access token', () => {
  test.each<[string, object | undefined, Presenter, UnboundTokens, string]>([
    ['the certificate it was issued to', byCertificate, ours, 'refuse', 'accepted'],
    ['A17: another certificate of the same SPIFFE ID', byCertificate, others, 'refuse', 'other-certificate'],
    ['A18: no certificate', byCertificate, nobody, 'refuse', 'no-certificate'],
    ['A18: no certificate, where bearer tokens are taken', byCertificate, nobody, 'accept', 'no-certificate'],
    ['A18: a DPoP proof in place of the certificate', byCertificate, dpop, 'accept', 'no-certificate'],
    ['a DPoP proof that nobody asked for', byCertificate, { ...ours, dpopThumbprint: jkt }, 'accept', 'other-dpop-key'],
    ['the DPoP key it was issued to', { jkt }, dpop, 'refuse', 'accepted'],
    ['A19: a DPoP-bound token as a bearer token', { jkt }, nobody, 'accept', 'no-dpop-proof'],
    ['A19: the same with a certificate', { jkt }, ours, 'accept', 'no-dpop-proof'],
    ['A19: another DPoP key', { jkt }, { ...nobody, dpopThumbprint: x5t }, 'accept', 'other-dpop-key'],
    ['both, where both are asked', { ...byCertificate, jkt }, { ...ours, dpopThumbprint: jkt }, 'refuse', 'accepted'],
    ['one of two', { ...byCertificate, jkt }, ours, 'accept', 'no-dpop-proof'],
    ['a bearer token where they are refused', undefined, ours, 'refuse', 'not-bound'],
    ['a bearer token where they are taken', undefined, nobody, 'accept', 'accepted'],
    ['a bearer token with a DPoP proof', undefined, dpop, 'accept', 'other-dpop-key'],
  ])('%s', (...[, cnf, presenter, unbound, expected]) => {
    const token = must(verifyAccessToken(accessToken({ claims: { cnf } }), rules()));
    expect(verdict(checkPresenter(token, presenter, unbound))).toBe(expected);
  });
});
