import { describe, expect, test } from 'vitest';
import { performanceChart } from '#bench/report/performance-chart.ts';

const figure = (scenario: string, subject: string, value: number) => {
  return { scenario, subject, metric: 'cpu_us_per_request', samples: [value] };
};

describe('the chart', () => {
  const svg = performanceChart([
    { figures: [figure('get-64', 'eastwest', 20), figure('get-64', 'envoy', 80), figure('get-64', 'envoy-h1', 90)] },
    { figures: [figure('tcp-echo', 'eastwest', 10), figure('tcp-echo', 'nginx', Number.NaN)] },
  ]);

  test('has a bar as high as the figure for each subject that has a colour', () => {
    const bars = [...svg.matchAll(/<rect class="([\w-]+)" x="[\d.]+" y="[\d.]+" width="[\d.]+" height="([\d.]+)"/g)];
    const heights = bars.map(([, subject, height]) => [subject, Number(height)]).filter(([, height]) => height !== 12);
    expect(heights).toEqual([
      ['eastwest', 40],
      ['envoy', 160],
      ['eastwest', 160],
    ]);
  });

  test('can be read on light and on dark ground, and names what it shows', () => {
    expect(svg).toContain('@media (prefers-color-scheme:dark)');
    for (const word of ['get-64', 'tcp-echo', 'less is better', 'aria-label=']) expect(svg).toContain(word);
  });
});
