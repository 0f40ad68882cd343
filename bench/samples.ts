import type { Figure } from './part.ts';

/** Gathers samples, round by round, into figures. */
export interface Samples {
  add(scenario: string, subject: string, metrics: Readonly<Record<string, number>>): void;
  figures(): readonly Figure[];
}

export function createSamples(): Samples {
  const figures = new Map<string, Figure & { readonly samples: number[] }>();
  return {
    add(scenario, subject, metrics) {
      for (const [metric, value] of Object.entries(metrics)) {
        const key = `${scenario} ${subject} ${metric}`;
        const figure = figures.get(key) ?? { scenario, subject, metric, samples: [] };
        figure.samples.push(value);
        figures.set(key, figure);
      }
    },
    figures: () => [...figures.values()],
  };
}
