import type { Figure } from '#bench/parts/part.ts';
import { median, ratio } from '#bench/statistics.ts';
import { markdownTable, number } from './table.ts';
import { targets, type Target } from './targets.ts';

const own = 'eastwest';

interface PartFigures {
  readonly part: { readonly name: string };
  readonly figures: readonly Figure[];
}

/** A row for each target and scenario of the parts that were run. */
export function targetsTable(results: readonly PartFigures[], all: readonly Target[] = targets): string {
  const rows = all.flatMap((target) => {
    const result = results.find(({ part }) => part.name === target.part);
    if (result === undefined) return [];
    return target.scenarios.map((scenario) => rowOf(target, scenario, result.figures));
  });
  return markdownTable(['scenario', 'what', 'against', 'must', 'aim', 'measured', 'verdict'], rows, [0, 1, 2, 6]);
}

function rowOf(target: Target, scenario: string, figures: readonly Figure[]): readonly string[] {
  const { says, versus, better, must, aim } = target;
  const measured = measuredOf(target, scenario, figures);
  const sign = better === 'lower' ? '≤' : '≥';
  const times = (value: number | undefined): string => {
    if (value === undefined || !Number.isFinite(value)) return '';
    return versus.kind === 'absolute' ? `${sign} ${value} ${versus.unit}` : `${sign} ${value} ×`;
  };
  const shown = versus.kind === 'absolute' ? number(measured.value, 1) : `${number(measured.value, 2)} ×`;
  return [
    scenario,
    says,
    measured.against,
    times(must),
    times(aim),
    Number.isNaN(measured.value) ? '' : shown,
    verdict(target, measured.value),
  ];
}

/** The value to hold against the target, NaN when it could not be measured, and the peer that it was divided by. */
function measuredOf(
  { metric, versus, better }: Target,
  scenario: string,
  figures: readonly Figure[],
): { value: number; against: string } {
  const samplesOf = (subject: string, of: string): readonly number[] =>
    figures.find((each) => each.scenario === scenario && each.subject === subject && each.metric === of)?.samples ?? [];
  const ours = samplesOf(own, metric);
  if (versus.kind === 'absolute') return { value: median(ours), against: '' };
  const peers = versus.subjects
    .map((subject) => ({ subject, samples: samplesOf(subject, versus.metric ?? metric) }))
    .filter(({ samples }) => samples.length > 0)
    .toSorted((a, b) => (median(a.samples) - median(b.samples)) * (better === 'lower' ? 1 : -1));
  const [best] = peers;
  if (best === undefined) return { value: NaN, against: versus.subjects.join(', ') };
  return { value: ratio(ours, best.samples), against: best.subject };
}

export function verdict({ better, must, aim }: Pick<Target, 'better' | 'must' | 'aim'>, value: number): string {
  if (Number.isNaN(value)) return 'not measured';
  const reaches = (bar: number): boolean => (better === 'lower' ? value <= bar : value >= bar);
  if (aim !== undefined && reaches(aim)) return 'aim reached';
  if (reaches(must)) return must === Infinity ? 'aim missed' : 'reached';
  const by = better === 'lower' ? value / must - 1 : 1 - value / must;
  return by > 1 ? `**${number(1 + by, 1)} times too much**` : `**missed by ${Math.max(1, Math.round(by * 100))} %**`;
}
