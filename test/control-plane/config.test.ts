import { describe, expect, test } from 'vitest';
import { parseControlPlaneConfig } from '#control-plane/config.ts';

const settings = (text: string, flags = {}) => {
  const parsed = parseControlPlaneConfig(text, flags);
  return parsed.ok ? parsed.value : parsed.reason;
};

test('a trust domain is enough', () => {
  expect(settings('trustDomain: shop.example')).toEqual({
    trustDomain: 'shop.example',
    dataDir: '.eastwest/control-plane',
    listen: { host: '127.0.0.1', port: 9443 },
    svidLifeMs: 3_600_000,
    keySource: { kind: 'generated' },
    limits: {
      issuePerIdentity: { burst: 60, perSecond: 5 },
      failedAttestationsPerAddress: { burst: 30, perSecond: 0.5 },
      tokensPerClient: { burst: 1_000, perSecond: 100 },
      failedClientsPerAddress: { burst: 30, perSecond: 0.5 },
    },
    log: 'info',
  });
});

test('tokens need an issuer; lives have defaults', () => {
  const written = (more: string) =>
    settings(`trustDomain: shop.example\ntokens: { issuer: https://sts.example${more} }`);
  const tokens = { issuer: 'https://sts.example', lifeMs: 300_000, keyLifeMs: 86_400_000, http: undefined };
  expect(written('')).toMatchObject({ tokens });
  expect(written(', life: 60s, keyLife: 20s')).toMatchObject({ tokens: { lifeMs: 60_000, keyLifeMs: 20_000 } });
  expect(written(', listen: "127.0.0.1:8443", certFile: c.pem, keyFile: k.pem')).toMatchObject({
    tokens: { http: { listen: { host: '127.0.0.1', port: 8443 }, certFile: 'c.pem', keyFile: 'k.pem' } },
  });
  expect(written(', listen: "127.0.0.1:8443"')).toContain('needs certFile and keyFile');
  expect([written(', life: 16m'), written(', keyLife: 1s'), written('/?a=b'), written('/*')]).toEqual([
    expect.stringContaining('between 1s and 15m'),
    expect.stringContaining('between 20s and 2160h'),
    expect.stringContaining('write an https URL'),
    expect.stringContaining('write an https URL'),
  ]);
});

test('the command line wins over the file, and needs none', () => {
  expect(
    settings('trustDomain: a.example\nsvidLife: 1h', { svidLife: '10s', listen: '[::1]:0', keyFile: '/k' }),
  ).toMatchObject({
    trustDomain: 'a.example',
    svidLifeMs: 10_000,
    listen: { host: '::1', port: 0 },
    keySource: { kind: 'key-file', path: '/k' },
  });
  expect(settings('policies: /a', { trustDomain: 'b.example', passphraseFile: '/p', policies: '/b' })).toMatchObject({
    keySource: { kind: 'passphrase-file', path: '/p' },
    policies: '/b',
  });
});

describe('a problem is told with its place', () => {
  test.each([
    ['', /trustDomain/],
    ['[]', /name: value/],
    ['trustDomain: Shop', /lower-case/],
    ['trustDomain: a\ntrustDomain: b', /^line 2, column 1/],
    ['trustDomain: a\nsvidlife: 1h', /svidlife/],
    ['trustDomain: a\nsvidLife: 1d', /write 10s, 5m or 1h/],
    ['trustDomain: a\nsvidLife: 1s', /between 5s and 24h/],
    ['trustDomain: a\nlisten: 9443', /listen/],
    ['trustDomain: a\nlisten: "127.0.0.1:99999"', /9443/],
    ['trustDomain: a\nkeyFile: k\npassphraseFile: p', /not both/],
    ['trustDomain: a\nlimits: { issuePerIdentity: { burst: 0, perSecond: 1 } }', /burst/],
    ['trustDomain: A\nsvidLife: 1d\nlog: loud', /trustDomain[^]*svidLife[^]*log|log[^]*svidLife/],
  ])('%j', (text, problem) => {
    expect(settings(text)).toMatch(problem);
  });
});
