import { expect, test } from 'vitest';
import { parseAgentConfig } from '#agent/config.ts';

const base = {
  workload: 'prices',
  trustDomain: 'shop.example',
  identity: { controlPlane: { address: '127.0.0.1:7443', trustBundle: '/bundle.pem', stateDir: '/state' } },
};

function parse(token: unknown, tokenIssuers?: unknown, changes: object = {}) {
  const port = { port: 7002, token, ...('protocol' in changes ? changes : {}) };
  const { protocol: _, ...others } = { protocol: undefined, ...changes };
  return parseAgentConfig(
    JSON.stringify({ ...base, ...others, inbound: { listen: '127.0.0.1:0', ports: [port] }, tokenIssuers }),
  );
}

const login = { name: 'login', issuer: 'https://login.example', jwks: { file: '/jwks.json' } };

test('what is left out asks for a token of this workload and passes nothing on', () => {
  const config = parse({}, [{ ...login, jwks: { url: 'https://login.example/jwks' }, claims: { scope: 'scp' } }]);
  if (!config.ok) throw new Error(config.reason);
  const token = { mode: 'require', audience: undefined, header: 'authorization', forward: 'none', unbound: 'refuse' };
  expect(config.value.inbound?.ports[0]?.token).toEqual(token);
  expect(config.value.tokenIssuers).toEqual([
    {
      ...{ name: 'login', issuer: 'https://login.example', typ: 'at+jwt', algorithms: ['ES256'] },
      keys: { kind: 'url', url: 'https://login.example/jwks', refreshMs: 300_000, keepMs: 3_600_000 },
      claimMap: { scope: 'scp' },
      subjects: { trustDomains: ['shop.example'], ownNames: 'refuse' },
      maxLifetimeSeconds: 300,
    },
  ]);
  const none = parse({ mode: 'none' });
  expect(none.ok && none.value.inbound?.ports[0]?.token).toBeUndefined();
});

const files = { identity: { files: { dir: '/certs' } } };

interface Said {
  readonly token?: object;
  readonly issuers?: readonly object[];
  readonly changes?: object;
}

test.each<[string, string, Said]>([
  ['S50 an audience for everybody', 'inbound.ports[0].token.audience: write one name', { token: { audience: '*' } }],
  ['an unknown header', 'token.header: write authorization or x-access-token', { token: { header: 'cookie' } }],
  ['a TCP port', 'token: needs HTTP', { changes: { protocol: 'tcp' } }],
  [
    'S69 keys over http',
    'tokenIssuers[0].jwks',
    { issuers: [{ ...login, jwks: { url: 'http://login.example/jwks' } }] },
  ],
  [
    'an algorithm with a shared secret',
    'tokenIssuers[0].algorithms[0]',
    { issuers: [{ ...login, algorithms: ['HS256'] }] },
  ],
  ['a life of days', 'maxLifetime: is too long', { issuers: [{ ...login, maxLifetime: '48h' }] }],
  [
    'an issuer twice',
    'issuer: https://login.example is there twice',
    { issuers: [login, { ...login, name: 'again' }] },
  ],
  ['a typo', 'there is no setting forwards', { token: { forwards: 'none' } }],
  ['no issuer with files', 'needs tokenIssuers', { changes: files }],
  ['pushed keys with files', 'cannot be pushed', { issuers: [{ ...login, jwks: { pushed: true } }], changes: files }],
])('%s is refused', (_, problem, { token = {}, issuers, changes = {} }) => {
  const config = parse(token, issuers, changes);
  expect(config.ok ? 'accepted' : config.reason).toContain(problem);
});
