import { expect, test } from 'vitest';
import { LastAdmission, type Forward } from '#agent/http/last-admission.ts';
import { requestFor } from '#support/ask.ts';

const forward = {} as Forward<never>;

test('an admission is repeated for the same head on the same basis, and on no other', () => {
  const last = new LastAdmission<never>();
  const { head } = requestFor('/');
  const basis = { rule: 'cart may' };
  expect(last.find(head, basis)).toBeUndefined();
  last.keep(head, basis, forward);
  expect(last.find(head, basis)).toBe(forward);
  expect(last.find(head, { ...basis })).toBeUndefined(); // the proof, a rule or the peer is another one
  expect(last.find({ ...head }, basis)).toBeUndefined(); // equal is not the same
});

test('only the last one is remembered', () => {
  const last = new LastAdmission<never>();
  const [one, other] = [requestFor('/1').head, requestFor('/2').head];
  const basis = {};
  last.keep(one, basis, forward);
  last.keep(other, basis, { ...forward });
  expect(last.find(one, basis)).toBeUndefined();
});
