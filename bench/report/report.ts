import { describeMachine } from '#bench/machine.ts';
import type { Effort, Figure, Gap, Part } from '#bench/parts/part.ts';
import { countsInstructions } from '#bench/perf.ts';
import { median } from '#bench/statistics.ts';
import { partTable } from './table.ts';
import { targetsTable } from './targets-table.ts';

export interface PartResult {
  readonly part: Part;
  readonly effort: Effort;
  readonly figures: readonly Figure[];
  readonly gaps: readonly Gap[];
  readonly tookMs: number;
  /** What others used of the machine's CPU time meanwhile, 0 to 1. */
  readonly othersShare: number;
}

/** One JSON line per figure, and one per scenario that a subject is missing from. */
export function jsonLines({ part, effort, figures, gaps }: PartResult): readonly string[] {
  const bench = part.name;
  const measured = figures.map(({ scenario, subject, metric, samples }) => {
    return { bench, scenario, subject, metric, value: Number(median(samples).toPrecision(6)) };
  });
  const scenarios = part.scenarios.filter((scenario) => effort === 'full' || scenario.effort === undefined);
  const missing = gaps.flatMap(({ subject, scenario, why }) =>
    scenarios
      .filter(({ name, subjects }) => (scenario === undefined ? subjects === 'all' : name === scenario))
      .map(({ name }) => ({ bench, scenario: name, subject, missing: why })),
  );
  return [...measured, ...missing].map((line) => JSON.stringify(line));
}

export function partSection({ part, figures, gaps, tookMs, othersShare }: PartResult): string {
  const others = `Took ${Math.round(tookMs / 1000)} s; meanwhile others used ${Math.round(othersShare * 100)} % of the machine's CPU time.`;
  return `## ${part.title} (\`${part.name}\`)\n\n${part.about}\n\n${partTable(part, figures, gaps)}\n\n${others}\n`;
}

/** The whole of docs/performance.md. */
export function performanceDocument(
  results: readonly PartResult[],
  { versions, effort, date }: { readonly versions: readonly string[]; readonly effort: Effort; readonly date: string },
): string {
  const flags = effort === 'quick' ? ' -- --quick' : '';
  const counted = countsInstructions() ? '' : ' `perf` cannot count instructions here, so none are shown.';
  return `# Performance

Made by \`npm run bench${flags}\` on ${date}; not edited by hand. Machine: ${describeMachine()}.
Versions: ${versions.join(', ')}.${counted}

![CPU time per request and requests per second of each pair of proxies](performance.svg)

All subjects are proxy pairs with the same duties, checked before anything is measured: TLS 1.3 with AES-128-GCM and the
same P-256 certificates at both ends, the client's certificate verified, one caller admitted, its identity in a header that
no caller can forge (where HTTP is spoken), connections kept, one worker, no access log. Load generator and app are the
same two Node programs for all and share the cores with them. All pairs stand at the same time and are measured in turns,
A B C A B C; each figure is the median of the rounds. A column "× envoy" is the median of what each round gave when
divided by Envoy in the same round. How much of the machine others used meanwhile is said below each table: the more it
was, the less its figures say, latencies first, ratios last. \`envoy\` has HTTP/2 between its two ends, \`envoy-h1\` HTTP/1.1.

## Targets

Eastwest's figure as a multiple of the peer's, or as it is. A target that is missed says by how much.

${targetsTable(results)}

${results.map(partSection).join('\n')}`;
}
