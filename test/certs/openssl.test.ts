import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { buildCsr, readCsr } from '#certs/csr.ts';
import { issueSvid } from '#certs/issue-svid.ts';
import { certificatesToPem, parseCertificatesPem } from '#certs/pem.ts';
import { parseTrustBundlePem } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { createTestCa, makeKeys, type CertificateRecipe, type TestCertificate } from '#support/test-ca.ts';
import { createAuthority, id, nowMs, orderFor } from './authority.ts';

const version = spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout ?? '';
const isPresent = /^OpenSSL [3-9]/.test(version);
if (!isPresent) console.warn('SKIPPED test/certs/openssl.test.ts: no OpenSSL 3 on this machine (openssl version)');

const folder = mkdtempSync(join(tmpdir(), 'eastwest-openssl-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** `OK`, or what `openssl verify` has against the chain at `nowMs`. */
function verdict(chainDer: readonly Buffer[], rootsPem: string, purpose = 'sslclient'): string {
  const [leaf, ...intermediates] = chainDer;
  const args = [
    '-CAfile',
    file('roots.pem', rootsPem),
    '-attime',
    String(Math.floor(nowMs / 1000)),
    '-purpose',
    purpose,
  ];
  const untrusted = intermediates.length > 0 ? ['-untrusted', file('chain.pem', certificatesToPem(intermediates))] : [];
  const leafPath = file('leaf.pem', certificatesToPem(leaf ? [leaf] : []));
  const run = spawnSync('openssl', ['verify', '-x509_strict', ...args, ...untrusted, leafPath], { encoding: 'utf8' });
  if (run.status === 0) return 'OK';
  return /lookup: (.*)/.exec(run.stderr)?.[1] ?? run.stderr;
}

describe.runIf(isPresent)('OpenSSL reads what we build', () => {
  test('a chain of ours verifies strictly for both sides of TLS, name constraint included', async () => {
    const own = await createAuthority();
    const chain = [await issueSvid(orderFor(makeKeys()), own.issuer), own.issuer.certificateDer];
    const roots = certificatesToPem([own.rootDer]);
    expect(verdict(chain, roots, 'sslclient')).toBe('OK');
    expect(verdict(chain, roots, 'sslserver')).toBe('OK');
    const foreign = orderFor(makeKeys(), { spiffeId: id('spiffe://bank.example/ns/default/sa/prices') });
    const outside = [await issueSvid(foreign, own.issuer), own.issuer.certificateDer];
    expect(verdict(outside, roots)).toBe('permitted subtree violation');
  });

  test('a leaf has one URI SAN, a critical key usage, both purposes, CA:FALSE and 128 bits of serial', async () => {
    const own = await createAuthority();
    const order = orderFor(makeKeys());
    const path = file('text.pem', certificatesToPem([await issueSvid(order, own.issuer)]));
    const text = openssl('x509', '-in', path, '-noout', '-text').replace(/\s+/g, ' ');
    expect(text).toContain('Subject Alternative Name: critical URI:spiffe://shop.example/ns/default/sa/prices X509v3');
    expect(text).toContain('Key Usage: critical Digital Signature X509v3');
    expect(text).toContain('Extended Key Usage: TLS Web Server Authentication, TLS Web Client Authentication X509v3');
    expect(text).toContain('Basic Constraints: critical CA:FALSE X509v3');
    expect(text).toContain('Not Before: Nov 22 05:55:07 2026 GMT Not After : Nov 22 06:56:08 2026 GMT');
    expect(text).toContain(`Serial Number: ${order.serial.toString('hex').replace(/..(?=.)/g, '$&:')} `);
  });

  test('a request of ours proves its key', () => {
    const path = file('request.der', buildCsr(makeKeys()));
    expect(openssl('req', '-inform', 'der', '-in', path, '-noout', '-verify', '-subject')).toContain('subject=');
  });
});

describe.runIf(isPresent)('A43: OpenSSL and we refuse the same chains', () => {
  const ca = createTestCa({ nowMs, root: { basicConstraints: { pathLength: 1 } } });
  const below = (recipe: CertificateRecipe): TestCertificate => ca.intermediate(recipe).leaf('prices');
  test.each<[string, TestCertificate, string]>([
    ['good', below({}), 'OK'],
    ['expired', ca.leaf('prices', { notAfterMs: nowMs - 1000 }), 'certificate has expired'],
    ['not yet valid', ca.leaf('prices', { notBeforeMs: nowMs + 1000 }), 'certificate is not yet valid'],
    ['one purpose missing', ca.leaf('prices', { purposes: ['1.3.6.1.5.5.7.3.1'] }), 'unsuitable certificate purpose'],
    ['broken signature', ca.leaf('prices', { signature: 'broken' }), 'certificate signature failure'],
    ['intermediate without CA', below({ basicConstraints: 'leaf', keyUsage: 0x80 }), 'invalid CA certificate'],
    ['intermediate expired', below({ notAfterMs: nowMs - 1000 }), 'certificate has expired'],
    ['other names permitted', below({ permittedUriHost: 'bank.example' }), 'permitted subtree violation'],
    [
      'other root',
      createTestCa({ nowMs, root: { subject: 'Elsewhere' } }).leaf('prices'),
      'unable to get local issuer certificate',
    ],
    [
      'path too long',
      ca
        .intermediate({ basicConstraints: { pathLength: 3 } })
        .intermediate({ subject: 'Second' })
        .leaf('prices'),
      'path length constraint exceeded',
    ],
  ])('%s', (_, made, expected) => {
    expect(verdict(made.chainDer, ca.bundlePem)).toBe(expected);
    expect(verifySvid(made.chainDer, { bundle: ca.bundle, nowMs }).ok).toBe(expected === 'OK');
  });
});

describe.runIf(isPresent)('we read what OpenSSL builds', () => {
  test.each([
    ['RSA 2048', ['-newkey', 'rsa:2048'], ['-newkey', 'rsa:2048'], 'accepted'],
    [
      'P-384 over P-256',
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      'accepted',
    ],
    [
      'RSA 2048 with SHA-512 over P-384',
      ['-newkey', 'rsa:2048', '-sha512'],
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
      'accepted',
    ],
    ['RSA 1024', ['-newkey', 'rsa:1024'], ['-newkey', 'rsa:2048'], 'weak-root-key'],
    ['Ed25519', ['-newkey', 'ed25519'], ['-newkey', 'rsa:2048'], 'weak-root-key'],
  ])('a chain of %s', (_, rootKey, leafKey, expected) => {
    openssl(
      'req',
      '-x509',
      '-noenc',
      ...rootKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/O=Shop/CN=Foreign root',
      '-days',
      '2',
    );
    openssl('req', '-noenc', ...leafKey, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/O=Shop/CN=prices');
    const extensions = file(
      'leaf.cnf',
      [
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature',
        'extendedKeyUsage=serverAuth,clientAuth',
        'subjectAltName=URI:spiffe://shop.example/ns/default/sa/prices,DNS:prices',
        'certificatePolicies=1.2.3.4',
      ].join('\n'),
    );
    const pem = openssl(
      'x509',
      '-req',
      '-in',
      'leaf.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-days',
      '1',
      '-extfile',
      extensions,
    );
    const bundle = parseTrustBundlePem(openssl('x509', '-in', 'ca.pem'), { trustDomain: 'shop.example', version: 1 });
    const chain = parseCertificatesPem(pem);
    if (!chain.ok) throw new Error(chain.reason);
    const checked = bundle.ok ? verifySvid(chain.value, { bundle: bundle.value, nowMs: Date.now() + 1000 }) : bundle;
    expect(checked.ok ? 'accepted' : checked.reason).toBe(expected);
    if (checked.ok) expect(checked.value.subject).toBe('CN=prices,O=Shop');
  });

  test('A41: a request that asks for CA:TRUE and another name is read as its key alone', () => {
    const wishes = [
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'subjectAltName=URI:spiffe://shop.example/admin,DNS:*',
    ];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', 'asking.key'];
    openssl('req', '-noenc', ...key, '-outform', 'der', '-out', 'asking.der', '-subj', '/CN=admin', ...wishes);
    const spki = openssl('pkey', '-in', 'asking.key', '-pubout');
    const csr = readCsr(Buffer.from(openssl('base64', '-A', '-in', 'asking.der'), 'base64'));
    expect(csr.ok && csr.value.spkiDer.toString('base64')).toBe(spki.replace(/-----.*-----|\n/g, ''));
  });
});
