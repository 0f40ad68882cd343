import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { issuerAlgorithms, proofAlgorithms, type SignatureAlgorithm } from '#tokens/algorithms.ts';
import { readCompactJws } from '#tokens/compact-jws.ts';
import { importJwk } from '#tokens/jwk.ts';
import { readKeySet } from '#tokens/jwks.ts';
import { signatureProblem, signatureProblemWith } from '#tokens/signature.ts';
import { readJsonObject } from '#tokens/strict-json.ts';
import { verifyWit } from '#tokens/wit.ts';
import { verifyWpt } from '#tokens/wpt.ts';
import { audience, keySetOf, must, verdict } from '#support/tokens.ts';

const folder = process.env['EASTWEST_VECTORS'] ?? '';
const isPresent = existsSync(join(folder, 'wycheproof'));
if (!isPresent) console.warn('skipped: JWS, JWK and WIMSE vectors (set EASTWEST_VECTORS to their folder)');

interface Group {
  readonly type: string;
  readonly public?: { readonly alg?: string; readonly keys?: readonly object[] };
  readonly private?: { readonly alg?: string; readonly keys?: readonly object[] };
  readonly publicKey?: { readonly uncompressed: string };
  readonly tests: readonly {
    readonly tcId: number;
    readonly comment: string;
    readonly result: 'valid' | 'invalid';
    readonly jws: string;
    readonly msg: string;
    readonly sig: string;
  }[];
}

function groups(name: string): readonly Group[] {
  if (!isPresent) return [];
  return (JSON.parse(readFileSync(join(folder, 'wycheproof', name), 'utf8')) as { testGroups: Group[] }).testGroups;
}

const asVerdict = (accepted: boolean): string => (accepted ? 'valid' : 'invalid');
const isIssuers = (alg: string): alg is SignatureAlgorithm => (issuerAlgorithms as readonly string[]).includes(alg);

/** The vector's algorithm is its allow-list; the key is the group's, whatever `kid` says. */
function acceptsJws(jwk: object, jws: string): boolean {
  const { alg = '' } = jwk as { alg?: string };
  const members = readJsonObject(Buffer.from(JSON.stringify(jwk)));
  const key = members && importJwk(members, { algorithms: isIssuers(alg) ? [alg] : [], use: 'sig' });
  const read = readCompactJws(jws);
  return Boolean(key?.ok && read.ok && signatureProblemWith(read.value, key.value) === undefined);
}

describe.runIf(isPresent)('Wycheproof: JSON Web Signature', () => {
  const all = groups('json_web_signature_test.json');
  /** The header's algorithm is not the key's, by design (346, 347, 350, 351): a lax decoder alone takes 372 and 373. */
  const excluded = new Set([346, 347, 350, 351, 372, 373]);
  const isMac = (group: Group): boolean => group.private?.alg?.startsWith('HS') ?? false;
  const rows = (filter: (group: Group) => boolean) =>
    all
      .filter(filter)
      .flatMap((group) => group.tests.map((each) => [each.tcId, each.comment, each.result, group, each.jws] as const));

  test('all of them are there', () => {
    expect(all.flatMap(({ tests }) => tests).length).toBe(401);
  });

  test.each(rows((group) => !isMac(group)).filter(([id]) => !excluded.has(id)))(
    '%i %s: %s',
    (...[, , result, group, jws]) => {
      expect(asVerdict(acceptsJws(group.public ?? {}, jws))).toBe(result);
    },
  );

  test.each(rows((group) => !isMac(group)).filter(([id]) => excluded.has(id)))(
    '%i %s is excluded, and refused here',
    (...[, , , group, jws]) => {
      expect(acceptsJws(group.public ?? {}, jws)).toBe(false);
    },
  );

  test.each(rows(isMac))(
    '%i %s: HMAC, valid or not, is refused: it belongs to another verifier',
    (...[, , , group, jws]) => {
      expect(acceptsJws(group.private ?? {}, jws)).toBe(false);
    },
  );
});

describe.runIf(isPresent)('Wycheproof: JSON Web Key', () => {
  const rows = groups('json_web_key_test.json').flatMap((group) =>
    group.tests.map((each) => [each.tcId, `${each.comment} ${each.result}`, group, each] as const),
  );

  test('all of them are there', () => {
    expect(rows.length).toBe(26);
  });

  test.each(rows)('%i %s', (...[, , group, { jws, result }]) => {
    const set = group.public ?? group.private;
    const isSymmetric = JSON.stringify(set).includes('"kty":"oct"');
    const [first] = (set?.keys ?? []) as readonly { alg?: string }[];
    const alg = first?.alg ?? '';
    const document = Buffer.from(JSON.stringify(set));
    const read = readKeySet(document, { algorithms: isIssuers(alg) ? [alg] : [], use: 'sig' });
    const token = readCompactJws(jws);
    const accepted = read.ok && token.ok && signatureProblem(token.value, read.value) === undefined;
    // Four vectors with HMAC are valid: sets with symmetric keys are never read here.
    expect(asVerdict(accepted)).toBe(isSymmetric ? 'invalid' : result);
    if (isSymmetric) expect(verdict(read)).toMatch(/^(symmetric-key|duplicate-kid)$/);
  });
});

describe.runIf(isPresent)('Wycheproof: ECDSA P-256 with SHA-256, P1363', () => {
  const all = groups('ecdsa_secp256r1_sha256_p1363_test.json');

  test('all of them are there', () => {
    expect(all.flatMap(({ tests }) => tests).length).toBe(262);
  });

  test.each(all.flatMap((group) => group.tests.map((each) => [each.tcId, each.comment, group, each] as const)))(
    '%i %s',
    (...[, , group, { msg, sig, result }]) => {
      const point = Buffer.from(group.publicKey?.uncompressed ?? '', 'hex');
      const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'));
      const jwk = readJsonObject(Buffer.from(JSON.stringify({ kty: 'EC', crv: 'P-256', x, y })));
      const key = must(importJwk(jwk ?? new Map(), { algorithms: ['ES256'], use: 'sig' }));
      const signature = Buffer.from(sig, 'hex');
      const jws = must(readCompactJws('eyJhbGciOiJFUzI1NiJ9.e30.'));
      const signed = { ...jws, signature, signingInput: Buffer.from(msg, 'hex').toString('latin1') };
      expect(asVerdict(signatureProblemWith(signed, key) === undefined)).toBe(result);
    },
  );
});

describe.runIf(isPresent)('the examples of WIMSE verify at their time', () => {
  const text = (name: string): string => readFileSync(join(folder, 'wimse', name), 'utf8').trim();
  const times = { nowMs: 1_745_509_900_000, skewSeconds: 0 };
  /** The identity server's key, as the draft on workload credentials prints it. */
  const issuerKeys = {
    keys: [
      {
        kty: 'EC',
        kid: 'June 5',
        crv: 'P-256',
        x: 'kXqnA2Op7hgd4zRMbw0iFcc_hDxUxhojxOFVGjE2gks',
        y: 'n__VndPMR021-59UAs0b9qDTFT-EZtT6xSNs_xFskLo',
      },
    ],
  };
  const domain = { scheme: 'wimse', trustDomain: 'example.com' } as const;
  const witRules = { ...times, maxLifetimeSeconds: 3_600, domain, keys: must(keySetOf(issuerKeys)) };
  const wit = () => must(verifyWit(text('wit.txt'), witRules));
  const wptRules = () => ({
    ...times,
    maxLifetimeSeconds: 300,
    wit: wit(),
    audience: audience('https://workload.example.com/path'),
    accessToken: '16_mAd0GiwaZokU26_0902100',
    txnToken: undefined,
    otherTokens: new Map<string, string>(),
  });

  test('the Workload Identity Token', () => {
    expect(wit()).toMatchObject({ subject: 'wimse://example.com/specific-workload', key: { algorithm: 'EdDSA' } });
    expect(text('wit-header.txt')).toBe(`Workload-Identity-Token: ${text('wit.txt')}`);
    expect(verdict(verifyWit(text('wit.txt'), { ...witRules, nowMs: 1_745_512_510_000 }))).toBe('expired');
  });

  test('the Workload Proof Token, for the request it was sent with', () => {
    expect(verdict(verifyWpt([text('wpt.txt')], wptRules()))).toBe('accepted');
    expect(verdict(verifyWpt([text('wpt.txt')], { ...wptRules(), accessToken: undefined }))).toBe('wrong-ath');
    expect(verdict(verifyWpt([text('wpt.txt')], { ...wptRules(), nowMs: 1_745_510_016_000 }))).toBe('expired');
    const request = text('wpt-request.txt');
    expect(request).toContain(`Workload-Proof-Token: ${text('wpt.txt')}`);
    expect(request).toContain('Authorization: Bearer 16_mAd0GiwaZokU26_0902100');
  });

  test.each(['sigs-request.txt', 'sigs-response.txt'])(
    '%s: its token is well formed, its key fits, its issuer may not use EdDSA',
    (name) => {
      const token = /^Workload-Identity-Token: (.+)$/m.exec(text(name))?.[1]?.trim() ?? '';
      const jws = must(readCompactJws(token));
      expect(jws).toMatchObject({ typ: 'wit+jwt', alg: 'EdDSA', kid: 'issuer-key' });
      expect(verdict(verifyWit(token, witRules))).toBe('alg-not-allowed');
      const bound = readJsonObject(jws.payload)?.get('cnf');
      const jwk = bound instanceof Map ? bound.get('jwk') : undefined;
      expect(verdict(importJwk(jwk as Map<string, string>, { algorithms: proofAlgorithms, use: 'sig' }))).toBe(
        'accepted',
      );
    },
  );
});
