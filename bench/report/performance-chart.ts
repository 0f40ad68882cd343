import type { Figure } from '#bench/parts/part.ts';
import { median } from '#bench/statistics.ts';
import { chartSvg, type Group, type Panel } from './chart.ts';

interface PartFigures {
  readonly figures: readonly Figure[];
}

const scenarios = ['get-1', 'get-16', 'get-64', 'get-256', 'body-1k', 'grpc-unary', 'grpc-stream', 'tcp-echo'];

/** docs/performance.svg: what a request costs and how many a second there are. */
export function performanceChart(results: readonly PartFigures[]): string {
  const figures = results.flatMap((result) => result.figures);
  const panels: readonly Panel[] = [
    {
      title: 'CPU time of both proxies, µs per request or message, each group to its own scale (less is better)',
      groups: groupsOf(figures, 'cpu_us_per_request'),
    },
    {
      title: 'Requests or messages per second, each group to its own scale (more is better)',
      groups: groupsOf(figures, 'requests_per_s'),
    },
  ];
  return chartSvg(panels, 'CPU time per request and requests per second of each pair of proxies');
}

function groupsOf(figures: readonly Figure[], metric: string): readonly Group[] {
  return scenarios.flatMap((name) => {
    const here = figures.filter((figure) => figure.scenario === name && figure.metric === metric);
    const bars = here.map(({ subject, samples }) => ({ subject, value: median(samples) }));
    return bars.length === 0 ? [] : [{ name, bars }];
  });
}
