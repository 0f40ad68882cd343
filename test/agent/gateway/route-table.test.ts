import { describe, expect, test } from 'vitest';
import { RouteTable } from '#agent/gateway/route-table.ts';

const route = (host: string, path: string) => ({ host, path, workload: 'w', port: 1, to: `${host}${path}` });

const table = new RouteTable([
  route('shop.example', '/'),
  route('shop.example', '/groups/1'),
  route('shop.example', '/groups'),
  route('api.shop.example', '/v1/orders'),
  route('*.shop.example', '/'),
  route('[::1]', '/'),
]);

const find = (host: string, target: string): string => {
  const found = table.find(host, target);
  return found.ok ? found.value : found.reason;
};

describe('a route is found by host, then by the longest path, segment by segment (A58)', () => {
  test.each([
    ['shop.example', '/', 'shop.example/'],
    ['shop.example:8443', '/any?x=/groups/1', 'shop.example/'],
    ['shop.example', '/groups', 'shop.example/groups'],
    ['shop.example', '/groups/', 'shop.example/groups'],
    ['shop.example', '/groups?1', 'shop.example/groups'],
    ['shop.example', '/groups/1/documents', 'shop.example/groups/1'],
    ['shop.example', '/groups/10', 'shop.example/groups'],
    ['shop.example', '/groupsX', 'shop.example/'],
    ['shop.example', '/Groups', 'shop.example/'],
    ['shop.example', '/%67roups/%31', 'shop.example/groups/1'],
    ['shop.example', '/%25groups', 'shop.example/'],
    ['shop.example', '/a;v=1/b', 'shop.example/'],
    ['shop.example', '/caf%C3%A9/x.tar.gz', 'shop.example/'],
    ['api.shop.example', '/v1/orders/7', 'api.shop.example/v1/orders'],
    ['web.shop.example', '/', '*.shop.example/'],
    ['[::1]:8443', '/', '[::1]/'],
  ])('%s %s goes to %s', (host, target, to) => {
    expect(find(host, target)).toBe(to);
  });

  test.each([
    ['', '/', 'unknown-host'],
    ['example', '/', 'unknown-host'],
    ['shop.example.', '/', 'unknown-host'],
    ['other.example', '/', 'unknown-host'],
    ['a.b.shop.example', '/', 'unknown-host'],
    ['.shop.example', '/', 'unknown-host'],
    ['*.shop.example', '/', '*.shop.example/'],
    ['api.shop.example', '/', 'no-route'],
    ['api.shop.example', '/v1', 'no-route'],
    ['api.shop.example', '/v1/orders2', 'no-route'],
  ])('%s %s: %s', (host, target, reason) => {
    expect(find(host, target)).toBe(reason);
  });
});

describe('a path that two readers could take differently is refused (A56)', () => {
  test.each([
    '//groups',
    '/groups//1',
    '/./groups',
    '/groups/..',
    '/groups/../admin',
    '/groups/..;/admin',
    '/groups/;/1',
    '/%2e%2e/groups',
    '/groups/%2E%2E/admin',
    '/groups%2f1',
    '/groups%5c1',
    '/groups\\1',
    '/groups%00',
    '/groups%0d%0a',
    '/%2567roups',
    '/groups%',
    '/groups%2',
    '/groups%zz',
    '/%c0%af',
    '/%c0%ae%c0%ae/groups',
    '/groups;v=1',
    '/groups/1;v=1/documents',
    '*',
    'groups',
  ])('%s', (target) => {
    expect(find('shop.example', target)).toBe('ambiguous-path');
  });
});
