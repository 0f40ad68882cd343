import { expect, test } from 'vitest';
import { readTarget } from '#agent/http/target.ts';
import { appTarget } from '#agent/inbound/app-target.ts';

test.each([
  ['GET', '/prices/1', { path: '/prices/1', text: '/prices/1' }],
  ['GET', '/a/../prices//1?x=/../%2e%2f&y=//', { path: '/prices/1', text: '/prices/1?x=/../%2e%2f&y=//' }],
  ['GET', '/%70rices?', { path: '/prices', text: '/prices?' }],
  ['GET', '/a?/../../..', { path: '/a', text: '/a?/../../..' }],
  ['GET', 'http://prices/./1?x', { path: '/1', text: '/1?x' }],
  ['GET', 'http://prices', { path: '/', text: '/' }],
  ['GET', 'http://prices?x', { path: '/', text: '/?x' }],
  ['OPTIONS', '*', { path: '*', text: '*' }],
  ['OPTIONS', 'http://prices', { path: '*', text: '*' }],
  ['GET', '/../prices?x', 'above-root'],
  ['GET', '/prices%2f1', 'encoded-slash'],
  ['GET', 'http://prices/..', 'above-root'],
])('%s %s is judged and delivered as %j (A56)', (method, target, expected) => {
  const { form } = readTarget(method, target)!;
  const read = appTarget({ method, target, form });
  expect(read.ok ? read.value : read.reason).toEqual(expected);
});
