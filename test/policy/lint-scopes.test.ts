import { describe, expect, test } from 'vitest';
import { lintScopes } from '#policy/lint/lint-scopes.ts';
import { UndescribedRoutes } from '#policy/lint/undescribed-routes.ts';
import { observedCalls } from '#support/observed-calls.ts';
import { policiesOf } from '#support/policies.ts';

/** Templates of namespace shop, each as `scope = METHOD /path`. */
function templates(lines: readonly string[], place = 'name: scopes, namespace: shop'): string {
  const scopes = lines.map((line) => {
    const [scope, , method, path] = line.split(' ');
    return `{ scope: ${scope}, method: ${method}, path: '${path}' }`;
  });
  return `apiVersion: eastwest.dev/v1
kind: ScopeTemplates
metadata: { ${place} }
spec: { scopes: [${scopes.join(', ')}] }
---
`;
}

const found = (...lines: readonly string[]) => lintScopes(policiesOf(templates(lines)));

describe('the URL must describe the scope (S86)', () => {
  test.each([
    'groups.documents.delete = DELETE /api/v1/groups/{id}/documents/{id}/',
    'groups.documents.delete = DELETE /groups/{group}/documents/{document}',
    'groups.documents.remove = DELETE /v2beta1/groups/{group}/documents/{document}',
    'groups.read = GET /groups',
    'groups.list = GET /groups/',
    'groups.get = GET /groups/{group}',
    'groups.create = POST /groups',
    'groups.update = PUT /groups/{group}',
    'groups.update = PATCH /groups/{group}',
    'orders.cancel = POST /orders/{order}/cancel',
    'orders.cancel.create = POST /orders/{order}/cancel',
    'files.purge = PURGE /files/{file}',
    'prices.any = POST /shop.Prices/Get',
    'api.read = GET /api',
  ])('%s does', (line) => {
    expect(found(line)).toEqual([]);
  });

  test.each([
    ['groups.documents.delete = DELETE /groups/{g}/documentsX/{d}', 'groups.documentsX.delete'], // A58
    ['groups.documentsX.delete = DELETE /groups/{g}/documents/{d}', 'groups.documents.delete'], // A58
    ['groups.documents.delete = DELETE /groups/{g}', 'groups.delete'],
    ['groups.documents.delete = GET /groups/{g}/documents/{d}', 'groups.documents.read'],
    ['documents.delete = DELETE /groups/{g}/documents/{d}', 'groups.documents.delete'],
    ['delete-documents = DELETE /documents/{d}', 'documents.delete'],
    ['orders.cancel = PUT /orders/{order}/cancel', 'orders.cancel.update'],
    ['prices.any = POST /prices/Get', 'prices.Get.create'],
  ])('%s does not: the name is %s (A58: by whole words)', (line, name) => {
    expect(found(line)).toMatchObject([
      { kind: 'name', template: 'shop/scopes spec.scopes[0]', problem: expect.stringMatching(`: write ${name}$`) },
    ]);
  });

  test.each([
    ['GET /groups/{a}/{b}', 'two variables stand side by side'],
    ['GET /{tenant}/groups', 'begins with a variable'],
    ['GET /groups/{**}', 'any number of segments'],
    ['GET /groups/{group}/*', 'any number of segments'],
    ['GET /groups/42', '42 looks like one object’s ID'],
    ['GET /', 'no word stands in it'],
  ])('of %s no scope follows: %s', (request, why) => {
    expect(found(`groups.read = ${request}`)).toMatchObject([
      { kind: 'opaque', problem: expect.stringContaining(why) },
    ]);
  });
});

describe('two templates', () => {
  test.each([
    ['groups.read = GET /groups/{id}', 'groups.get = GET /groups/{group}', ['twice']],
    ['groups.read = GET /groups/{id}', 'groups.me.read = GET /groups/me', ['shadow']],
    ['groups.me.read = GET /groups/me', 'groups.read = GET /groups/{id}', ['shadow']],
    ['groups.read = GET /groups', 'groups.read = GET /groups/{id}', []],
    ['groups.read = GET /groups/{id}', 'groups.update = PUT /groups/{id}', []],
    ['a.b.read = GET /a/{x}/b', 'a.c.read = GET /a/c/{y}', ['overlap']],
    ['a.b.read = GET /a/{x}/b', 'a.c.read = GET /a/{x}/c', []],
    ['documents.read = GET /documents/{d}', 'documentsX.read = GET /documentsX/{d}', []], // A58
  ])('%s and %s: %j', (one, other, kinds) => {
    expect(found(one, other).map(({ kind }) => kind)).toEqual(kinds);
  });

  test('tell who gets more than its name says', () => {
    expect(found('groups.read = GET /groups/{id}', 'groups.me.read = GET /groups/me')).toEqual([
      {
        kind: 'shadow',
        template: 'shop/scopes spec.scopes[1]',
        problem:
          'whoever has groups.read has all of groups.me.read too: GET /groups/me (groups.me.read) lies in shop/scopes spec.scopes[0], GET /groups/{*} (groups.read)',
      },
    ]);
  });

  test('meet in one namespace and in the root’s', () => {
    const other = 'groups.me.read = GET /groups/me';
    const beside = (place: string) =>
      lintScopes(policiesOf(templates(['groups.read = GET /groups/{id}']) + templates([other], place))).length;
    expect(beside('name: others, namespace: shop')).toBe(1);
    expect(beside('name: others, namespace: istio-system')).toBe(1);
    expect(beside('name: others, namespace: web')).toBe(0);
  });
});

describe('requests that no template describes (S86)', () => {
  const described = templates(['prices.read = GET /prices/{price}']);

  test('are told with their count, IDs in them as {*}; one path for many calls names no object', () => {
    const routes = new UndescribedRoutes(policiesOf(described), 1_000_000);
    const requests = [
      ...['GET /prices/1', 'GET /prices/tea', 'tcp :5432'],
      ...Array.from({ length: 100 }, () => 'GET /object'),
      ...Array.from({ length: 7 }, (_, index) => `GET /pricesX/${index}`), // A58
      ...['PUT /prices/1', 'GET /prices'],
    ];
    for (const call of observedCalls(requests)) routes.note(call);
    const told = routes.routes().map(({ to, method, path, calls, isOpaque }) => [to, method, path, calls, isOpaque]);
    expect(told).toEqual([
      ['shop/prices', 'GET', '/object', 100, true],
      ['shop/prices', 'GET', '/pricesX/{*}', 7, false],
      ['shop/prices', 'GET', '/prices', 1, false],
      ['shop/prices', 'PUT', '/prices/1', 1, false],
    ]);
  });

  test('are those of templates elsewhere, too', () => {
    const calls = observedCalls(['GET /prices/1'], { to: 'web/prices' });
    for (const [place, count] of [
      ['name: a, namespace: shop', 1],
      ['name: a, namespace: istio-system', 0],
    ] as const) {
      const routes = new UndescribedRoutes(
        policiesOf(templates(['prices.read = GET /prices/{price}'], place)),
        1_000_000,
      );
      for (const call of calls) routes.note(call);
      expect(routes.routes()).toHaveLength(count);
    }
  });

  test('take no more memory than they may', () => {
    const routes = new UndescribedRoutes([], 5_000);
    for (const call of observedCalls(Array.from({ length: 100 }, (_, index) => `GET /x${index}`))) routes.note(call);
    expect(routes.left).toBeGreaterThan(50);
    expect(routes.routes().length + routes.left).toBe(100);
  });
});
