import { describe, expect, test } from 'vitest';
import type { Target } from '#bench/report/targets.ts';
import { targetsTable, verdict } from '#bench/report/targets-table.ts';

const base = {
  part: 'http',
  scenarios: ['get-64'],
  metric: 'cpu_us_per_request',
  says: 'CPU',
  better: 'lower',
} as const;

const figure = (subject: string, samples: readonly number[]) => {
  return { scenario: 'get-64', subject, metric: 'cpu_us_per_request', samples };
};

const result = {
  part: { name: 'http' },
  figures: [figure('eastwest', [20, 30, 22]), figure('nginx', [40, 42, 44]), figure('haproxy', [36, 38, 40])],
};

describe('the verdict on a target', () => {
  test.each([
    ['aim reached', { better: 'lower', must: 0.5, aim: 0.3 }, 0.2],
    ['reached', { better: 'lower', must: 0.5, aim: 0.3 }, 0.4],
    ['**missed by 20 %**', { better: 'lower', must: 0.5, aim: 0.3 }, 0.6],
    ['**4.0 times too much**', { better: 'lower', must: 0.5, aim: 0.3 }, 2],
    ['**missed by 1 %**', { better: 'lower', must: 0.5, aim: 0.3 }, 0.501],
    ['aim reached', { better: 'higher', must: 3, aim: 4 }, 4],
    ['reached', { better: 'higher', must: 3, aim: 4 }, 3.5],
    ['**missed by 20 %**', { better: 'higher', must: 3, aim: 4 }, 2.4],
    ['aim missed', { better: 'lower', must: Infinity, aim: 1 }, 1.2],
    ['not measured', { better: 'lower', must: 1, aim: 0.7 }, NaN],
  ] as const)('is %s: %j, measured %d', (expected, target, value) => {
    expect(verdict(target, value)).toBe(expected);
  });
});

describe('the table of targets', () => {
  test('compares with the better of several peers, round by round', () => {
    const target: Target = { ...base, versus: { kind: 'peers', subjects: ['nginx', 'haproxy'] }, must: 0.75, aim: 0.5 };
    expect(cells([target])).toEqual(['get-64', 'CPU', 'haproxy', '≤ 0.75 ×', '≤ 0.5 ×', '0.56 ×', 'reached']);
  });

  test('a peer that is not there leaves the target open', () => {
    const target: Target = { ...base, versus: { kind: 'peers', subjects: ['envoy'] }, must: 0.35 };
    expect(cells([target])).toEqual(['get-64', 'CPU', 'envoy', '≤ 0.35 ×', '', '', 'not measured']);
  });

  test('some stand for themselves', () => {
    const target: Target = { ...base, versus: { kind: 'absolute', unit: 'µs' }, must: 28, aim: 19 };
    expect(cells([target])).toEqual(['get-64', 'CPU', '', '≤ 28 µs', '≤ 19 µs', '22.0', 'reached']);
  });

  test('parts that were not run have no rows', () => {
    const target: Target = { ...base, part: 'tail', versus: { kind: 'absolute', unit: 'µs' }, must: 28 };
    expect(targetsTable([result], [target]).split('\n')).toHaveLength(2);
  });
});

/** Of the first row. */
function cells(targets: readonly Target[]): readonly string[] {
  const [, , row = ''] = targetsTable([result], targets).split('\n');
  return row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
