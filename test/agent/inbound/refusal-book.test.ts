import { expect, test } from 'vitest';
import { RefusalBook, type KeptRefusal } from '#agent/inbound/refusal-book.ts';
import { PolicyCompiler } from '#agent/policy/policy-compiler.ts';

const kept = (policy: KeptRefusal['policy']): KeptRefusal => ({
  atMs: 1,
  refusal: { reason: 'no-rule-matches' },
  call: { principal: undefined, port: 1, http: undefined },
  policy,
});
const newPolicy = (): KeptRefusal['policy'] =>
  new PolicyCompiler([]).compileOwn({ workload: 'prices', trustDomain: 'prod.example' });

test('the newest thousand are kept, of the newest four sets of rules', () => {
  const book = new RefusalBook();
  const first = newPolicy();
  for (let at = 0; at <= 1_000; at += 1) book.keep(`id-${at}`, kept(first));
  expect([book.find('id-0'), book.find('id-1')?.policy]).toEqual([undefined, first]);
  for (let at = 0; at < 4; at += 1) book.keep(`later-${at}`, kept(newPolicy()));
  expect(book.find('id-1'), 'rules that nobody is judged by any more hold no memory').toBeUndefined();
  expect(book.find('later-0')).toBeDefined();
});
