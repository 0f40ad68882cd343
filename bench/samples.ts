import type { Figure, Findings, Gap } from './parts/part.ts';

/** Gathers what a part finds, round by round. */
export interface Samples {
  add(scenario: string, subject: string, metrics: Readonly<Record<string, number>>): void;
  /** Takes back what was found of this scenario (undefined: of all) so far. Only the first reason is kept. */
  miss(gap: Gap): void;
  misses(scenario: string, subject: string): boolean;
  findings(): Findings;
}

export function createSamples(): Samples {
  const figures = new Map<string, Figure & { readonly samples: number[] }>();
  const gaps: Gap[] = [];
  const misses = (scenario: string, subject: string): boolean =>
    gaps.some((gap) => gap.subject === subject && (gap.scenario ?? scenario) === scenario);
  return {
    misses,
    add(scenario, subject, metrics) {
      for (const [metric, value] of Object.entries(metrics)) {
        const key = `${scenario} ${subject} ${metric}`;
        const figure = figures.get(key) ?? { scenario, subject, metric, samples: [] };
        figure.samples.push(value);
        figures.set(key, figure);
      }
    },
    miss(gap) {
      const known = gaps.some(({ subject, scenario }) => subject === gap.subject && scenario === gap.scenario);
      if (!known) gaps.push(gap);
    },
    findings: () => ({
      figures: [...figures.values()].filter(({ scenario, subject }) => !misses(scenario, subject)),
      gaps,
    }),
  };
}
