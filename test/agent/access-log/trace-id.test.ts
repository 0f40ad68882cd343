import { expect, test } from 'vitest';
import { traceIdOf } from '#agent/access-log/trace-id.ts';
import { headerField } from '#agent/http/header-field.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const parent = 'b7ad6b7169203331';

test.each([
  [`00-${trace}-${parent}-01`, trace],
  [`cc-${trace}-${parent}-01-what-comes-later`, trace],
  [`00-${trace.toUpperCase()}-${parent}-01`, undefined],
  [`00-${'0'.repeat(32)}-${parent}-01`, undefined],
  [`ff-${trace}-${parent}-01`, undefined],
  [`00-${trace}-${parent}`, undefined],
  [`00-${trace.slice(1)}-${parent}-01`, undefined],
  ['', undefined],
])('traceparent %j belongs to %s', (value, traceId) => {
  expect(traceIdOf([headerField('Accept', '*/*'), headerField('traceparent', value)])).toBe(traceId);
});

test('without the header there is none', () => {
  expect(traceIdOf([headerField('tracestate', `00-${trace}-${parent}-01`)])).toBeUndefined();
});
