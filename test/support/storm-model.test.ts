import { expect, test } from 'vitest';
import type { AuthorizationPolicy } from '#policy/model.ts';
import { callers, payments, spiffeIdOf } from './random-policies.ts';
import { createStormModel, judgeAnswers, judgeLives, type AppliedChange } from './storm-model.ts';

const [cart = ''] = callers;
const policy: AuthorizationPolicy = {
  ...{ kind: 'AuthorizationPolicy', dialect: 'security.istio.io/v1', namespace: 'shop', name: 'cart', selector: {} },
  ...{ action: 'ALLOW', rules: [{ path: 'rules[0]', isDryRun: false, from: [], to: [], when: [] }] },
};
const other: AuthorizationPolicy = { ...policy, name: 'other', action: 'AUDIT' };
const applied = (revision: number, sentMs: number, change: AppliedChange['change']): AppliedChange => ({
  ...{ revision, sentMs, answeredMs: sentMs + 10, change },
});
const put = (document: AuthorizationPolicy) => ({ kind: 'put', document, text: '' }) as const;

/** Refused until 1000, allowed until 5000, then refused. */
const model = createStormModel(
  [
    applied(3, 5_000, { kind: 'delete', ref: policy }),
    applied(1, 0, put(other)),
    applied(2, 1_000, put(policy)),
    applied(4, 6_000, put(other)),
  ],
  [{ call: { principal: spiffeIdOf(cart), port: 80, http: undefined }, workload: payments }],
);

test.each([
  ['a refusal before it was allowed', 0, { beganMs: 500, endedMs: 600, isAllowed: false }],
  ['an answer by rules that came on the way', 0, { beganMs: 900, endedMs: 1_050, isAllowed: true }],
  ['a refusal by rules of 490 ms ago', 490, { beganMs: 1_500, endedMs: 1_600, isAllowed: false }],
  ['an answer by rules of 490 ms ago', 490, { beganMs: 5_500, endedMs: 5_600, isAllowed: true }],
])('%s is right', (_name, stale, told) => {
  const judged = judgeAnswers(model, [{ call: 0, ...told }], 1_000);
  expect(judged.wrong).toEqual([]);
  expect(judged.staleMs[0]).toBeCloseTo(stale, -1);
});

test.each([
  ['admitted before anything allowed it', 500, 600, true],
  ['refused two seconds after it was allowed', 3_100, 3_200, false],
  ['admitted two seconds after it was allowed no more', 7_100, 7_200, true],
])('%s is wrong', (_name, beganMs, endedMs, isAllowed) => {
  expect(judgeAnswers(model, [{ call: 0, beganMs, endedMs, isAllowed }], 1_000).wrong).toHaveLength(1);
});

test.each([
  ['cut within the bound', 0, { openedMs: 2_000, endedMs: 5_900, isCut: true }],
  ['ended by its caller', 0, { openedMs: 2_000, endedMs: 4_000, isCut: false }],
  ['cut while it was allowed', 1, { openedMs: 2_500, endedMs: 4_000, isCut: true }],
  ['that goes on where nothing allows it', 1, { openedMs: 2_000, endedMs: 8_000, isCut: false }],
])('a stream %s', (_name, problems, life) => {
  expect(judgeLives(model, [{ call: 0, ...life }], 1_000)).toHaveLength(problems);
});

test('a history with a gap is no history', () => {
  expect(() => createStormModel([applied(2, 0, put(policy))], [])).toThrow('revision 1 is not there');
});
