import { describe, expect, test } from 'vitest';
import type { Part } from '#bench/parts/part.ts';
import { jsonLines } from '#bench/report/report.ts';
import { partTable } from '#bench/report/table.ts';

const part: Part = {
  name: 'http',
  title: 'HTTP',
  about: '',
  scenarios: [
    { name: 'get-64', subjects: 'all' },
    { name: 'get-9999', subjects: 'all', effort: 'full' },
  ],
  columns: [
    { metric: 'p50_ms', title: 'p50 ms', digits: 2, ratio: 'with-ratio' },
    { metric: 'instructions_per_request', title: 'instructions', digits: 0, ratio: 'alone' },
  ],
  run: () => Promise.reject(new Error('is not run here')),
};
const figures = [
  { scenario: 'get-64', subject: 'eastwest', metric: 'p50_ms', samples: [1, 3, 2] },
  { scenario: 'get-64', subject: 'nginx', metric: 'p50_ms', samples: [2, 4, 4] },
];
const gaps = [{ subject: 'envoy', why: 'envoy is not on PATH' }];
const result = { part, figures, gaps, tookMs: 1, othersShare: 0 };

describe('one JSON line', () => {
  test('for each figure, and for each scenario that a subject is missing from', () => {
    expect(jsonLines({ ...result, effort: 'quick' })).toEqual([
      '{"bench":"http","scenario":"get-64","subject":"eastwest","metric":"p50_ms","value":2}',
      '{"bench":"http","scenario":"get-64","subject":"nginx","metric":"p50_ms","value":4}',
      '{"bench":"http","scenario":"get-64","subject":"envoy","missing":"envoy is not on PATH"}',
    ]);
  });

  test('nobody is missing from scenarios that were not asked for', () => {
    const scenarios = jsonLines({ ...result, effort: 'full' }).filter((line) => line.includes('get-9999'));
    expect(scenarios).toEqual([
      '{"bench":"http","scenario":"get-9999","subject":"envoy","missing":"envoy is not on PATH"}',
    ]);
  });
});

describe('a table', () => {
  test('shows multiples of the first peer that is there, no empty columns, and who is missing', () => {
    expect(partTable(part, figures, gaps)).toBe(
      [
        '| scenario | subject  | p50 ms | × nginx |',
        '| -------- | -------- | -----: | ------: |',
        '| get-64   | eastwest |   2.00 |    0.50 |',
        '| get-64   | nginx    |   4.00 |    1.00 |',
        '',
        'Missing: envoy (envoy is not on PATH).',
      ].join('\n'),
    );
  });
});
