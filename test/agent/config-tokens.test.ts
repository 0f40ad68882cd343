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

test.each<[string, unknown, unknown, object, string]>([
  [
    'S50 an audience for everybody',
    { audience: '*' },
    undefined,
    {},
    'inbound.ports[0].token.audience: write one name',
  ],
  ['an unknown header', { header: 'cookie' }, undefined, {}, 'token.header: write authorization or x-access-token'],
  ['a TCP port', {}, undefined, { protocol: 'tcp' }, 'token: needs HTTP'],
  ['S69 keys over http', {}, [{ ...login, jwks: { url: 'http://login.example/jwks' } }], {}, 'tokenIssuers[0].jwks'],
  ['an algorithm with a shared secret', {}, [{ ...login, algorithms: ['HS256'] }], {}, 'tokenIssuers[0].algorithms[0]'],
  ['a life of days', {}, [{ ...login, maxLifetime: '48h' }], {}, 'maxLifetime: is too long'],
  [
    'an issuer twice',
    {},
    [login, { ...login, name: 'again' }],
    {},
    'tokenIssuers[1].issuer: https://login.example is there twice',
  ],
  ['a typo', { audience: 'a', forwards: 'none' }, undefined, {}, 'there is no setting forwards'],
  ['no issuer with files', {}, undefined, { identity: { files: { dir: '/certs' } } }, 'needs tokenIssuers'],
  [
    'pushed keys with files',
    {},
    [{ ...login, jwks: { pushed: true } }],
    { identity: { files: { dir: '/certs' } } },
    'cannot be pushed',
  ],
])('%s is refused', (_, token, issuers, changes, problem) => {
  const config = parse(token, issuers, changes);
  expect(config.ok ? 'accepted' : config.reason).toContain(problem);
});
