import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseMeshFile } from '#cli/up/mesh-file.ts';
import { checkout } from '#support/fresh-folder.ts';

const small = `
name: shop
workloads:
  - name: web
    run: [node, web.js]
    calls: [{ to: prices, listen: 7101 }]
  - name: prices
    run: [python3, prices.py]
    listens: [{ port: 7002 }]
`;

describe('a mesh file', () => {
  test('gets every default filled in', () => {
    expect(parseMeshFile(small)).toEqual({
      ok: true,
      value: {
        name: 'shop',
        trustDomain: 'shop.example',
        svidLifeMs: 3_600_000,
        traffic: [],
        admit: 'calls',
        accessLog: true,
        workloads: [
          {
            name: 'web',
            run: ['node', 'web.js'],
            env: {},
            listens: [],
            calls: [{ to: 'prices', port: 7002, protocol: 'auto', listen: 7101 }],
            capture: 'upstreams',
            workers: 1,
          },
          {
            name: 'prices',
            run: ['python3', 'prices.py'],
            env: {},
            listens: [{ port: 7002, protocol: 'auto', listen: undefined, mode: 'strict' }],
            calls: [],
            capture: 'upstreams',
            workers: 1,
          },
        ],
      },
    });
  });

  test('of the example is read', () => {
    const example = parseMeshFile(readFileSync(join(checkout, 'examples/shop/mesh.yaml'), 'utf8'));
    if (!example.ok) throw new Error(example.reason.join('\n'));
    expect(example.value).toMatchObject({ name: 'shop', svidLifeMs: 20_000 });
    expect(example.value.workloads.map(({ name }) => name)).toEqual(['storefront', 'prices', 'orders']);
  });

  test.each([
    [
      'a call through HTTP_PROXY without listen',
      (t: string) => t.replace(', listen: 7101', '').replace('calls', 'capture: http-proxy\n    calls'),
    ],
    [
      'a port for callers without an agent',
      (t: string) => t.replace('port: 7002 }', 'port: 7002, listen: 7202, mode: permissive }'),
    ],
    ['a trust domain of its own', (t: string) => `${t}trustDomain: prod.example\n`],
    ['the shortest life', (t: string) => `${t}svidLife: 5s\n`],
  ])('with %s is accepted', (_, change) => {
    const read = parseMeshFile(change(small));
    expect(read.ok ? [] : read.reason).toEqual([]);
  });

  test.each([
    ['', 'name: write a name'],
    ['name: [', 'line 1, column'],
    [`${small}name: again\n`, 'line 10, column 1: '],
    [small.replace('name: shop', 'name: Shop'), 'name: write a DNS label'],
    [small.replace('run: [node, web.js]', 'run: node web.js'), 'workloads[0].run: write a list of strings'],
    [small.replace('run: [node, web.js]', 'run: []'), 'workloads[0].run: is empty'],
    [small.replace('run: [node', 'runs: [node'), 'workloads[0]: there is no setting runs; did you mean run?'],
    [
      small.replace('7002', '7002, proxyProtocol: v2'),
      'workloads[1].listens[0].proxyProtocol: needs protocol: tcp; connections to HTTP apps are shared between callers: those apps read x-forwarded-client-cert, so leave proxyProtocol out',
    ],
    [
      small.replace('7002', '7002, protocol: tcp, proxyProtocol: v1'),
      'workloads[1].listens[0].proxyProtocol: write v2',
    ],
    [small.replace('7002', '70020'), 'workloads[1].listens[0].port: write a port, 1 to 65535'],
    [small.replace('calls', 'env: { PORT: 7001 }\n    calls'), 'workloads[0].env.PORT: write it in quotes'],
    [`${small}svidLife: 20\n`, 'svidLife: write a duration'],
    [`${small}svidLife: 2s\n`, 'svidLife: write a duration from 5s to 24h'],
    [`${small}svidLife: soon\n`, 'svidLife: write a duration: 500ms, 25s, 2m or 1h'],
    [`${small}traffic: [{ url: "https://x/", perSecond: 1 }]\n`, 'traffic[0].url: write a URL'],
    [`${small}trustDomain: Shop\n`, 'trustDomain: write a trust domain'],
    [small.replace('name: prices', 'name: web'), 'workloads[1].name: there are two workloads named web'],
    [
      small.replace('to: prices', 'to: price'),
      'workloads[0].calls[0].to: there is no workload price; did you mean prices?',
    ],
    [small.replace('to: prices', 'to: web'), 'workloads[0].calls[0].to: a workload does not call itself'],
    [small.replace(', listen: 7101', ''), 'workloads[0].calls[0].listen: write the port where the app reaches it'],
    [
      small.replace('listen: 7101', 'listen: 7101, port: 7003'),
      'workloads[0].calls[0].port: prices does not listen on 7003',
    ],
    [
      small.replace('port: 7002 }', 'port: 7002 }, { port: 7003 }'),
      'workloads[0].calls[0].port: write which port: 7002 or 7003',
    ],
    [
      small.replace('port: 7002 }', 'port: 7002, mode: permissive }'),
      'workloads[1].listens[0].listen: write the port where plaintext callers reach it, e.g. 7202',
    ],
    [
      small.replace('port: 7002 }', 'port: 7002, listen: 7101 }'),
      'workloads[1].listens[0].listen: port 7101 is already workloads[0].calls[0].listen (web)',
    ],
    [small.replace('listens: [{ port: 7002 }]', ''), 'workloads[0].calls[0].to: prices listens nowhere'],
    [
      small.replace('7101', '7002'),
      'workloads[1].listens[0].port: port 7002 is already workloads[0].calls[0].listen (web)',
    ],
    [
      small
        .replace(', listen: 7101', '')
        .replace('calls', 'capture: http-proxy\n    calls')
        .replace('7002 }', '7002, protocol: tcp }'),
      'TCP does not go through HTTP_PROXY',
    ],
    [
      small.replace('}]\n  - name: prices', '}, { to: prices, listen: 7102 }]\n  - name: prices'),
      'workloads[0].calls[1]: prices is there twice',
    ],
  ])('%# is refused: %s', (text, problem) => {
    const read = parseMeshFile(text);
    expect(read.ok ? [] : read.reason).toContainEqual(expect.stringContaining(problem));
  });

  test('tells all problems of one kind at once', () => {
    const read = parseMeshFile(small.replace('to: prices', 'to: nobody').replace('name: prices', 'name: web'));
    expect(read.ok ? 0 : read.reason.length).toBe(2);
  });
});
