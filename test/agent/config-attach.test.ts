import { describe, expect, test } from 'vitest';
import { parseAgentConfig } from '#agent/config.ts';

const prices = 'spiffe://test.example/ns/default/sa/prices';

describe('a setting that cannot be followed is a problem of the file', () => {
  const base = (token: object, protocol = 'http', identity: object = { files: { dir: '/certs' } }) => ({
    workload: 'cart',
    trustDomain: 'test.example',
    identity,
    outbound: {
      tokenEndpoints: [{ name: 'other', url: 'https://sts.example/token' }],
      upstreams: [
        {
          ...{
            workload: 'prices',
            port: 1,
            listen: '127.0.0.1:0',
            protocol,
            spiffeId: prices,
            endpoints: ['127.0.0.1:1'],
          },
          token,
        },
      ],
    },
  });
  test.each([
    [{ mode: 'attach', issuer: 'other' }, 'http', ''],
    [{ mode: 'none' }, 'tcp', ''],
    [{ mode: 'attach', issuer: 'other' }, 'tcp', 'nothing to attach to'],
    [{ mode: 'attach' }, 'http', 'needed with identity.files'],
    [{ mode: 'attach', issuer: 'nobody' }, 'http', 'not among outbound.tokenEndpoints'],
    [{ mode: 'attach', issuer: 'other', audience: '*' }, 'http', 'write one audience'],
    [{ mode: 'attach', issuer: 'other', scopes: ['a b'] }, 'http', 'write one scope'],
    [{ mode: 'attach', issuer: 'other', header: 'host' }, 'http', 'another meaning'],
    [{ mode: 'attach', issuer: 'other', header: 'x-eastwest-port' }, 'http', 'another meaning'],
  ])('%j on %s', (token, protocol, problem) => {
    const read = parseAgentConfig(JSON.stringify(base(token, protocol)));
    expect(read.ok ? '' : read.reason).toContain(problem);
    expect(read.ok).toBe(problem === '');
  });
});
