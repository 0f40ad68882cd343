import { describeMachine } from './machine.ts';
import type { Effort, Figure, Gap, Part } from './part.ts';
import { median } from './statistics.ts';
import { partTable } from './table.ts';

export interface PartResult {
  readonly part: Part;
  readonly figures: readonly Figure[];
  readonly gaps: readonly Gap[];
  /** What others used of the machine's CPU time meanwhile, 0 to 1. */
  readonly othersShare: number;
}

/** One JSON line per figure, and one per scenario that a subject is missing from. */
export function jsonLines({ part, figures, gaps }: PartResult): readonly string[] {
  const bench = part.name;
  const measured = figures.map(({ scenario, subject, metric, samples }) => {
    return { bench, scenario, subject, metric, value: Number(median(samples).toPrecision(6)) };
  });
  const missing = part.scenarios.flatMap(({ name: scenario, subjects }) => {
    return (subjects === 'all' ? gaps : []).map(({ subject, why }) => ({ bench, scenario, subject, missing: why }));
  });
  return [...measured, ...missing].map((line) => JSON.stringify(line));
}

export function partSection({ part, figures, gaps, othersShare }: PartResult): string {
  const others = `Meanwhile others used ${Math.round(othersShare * 100)} % of the machine's CPU time.`;
  return `## ${part.title} (\`${part.name}\`)\n\n${part.about}\n\n${partTable(part, figures, gaps)}\n\n${others}\n`;
}

/** The whole of docs/performance.md. */
export function performanceDocument(
  results: readonly PartResult[],
  { versions, effort, date }: { readonly versions: readonly string[]; readonly effort: Effort; readonly date: string },
): string {
  const flags = effort === 'quick' ? ' --quick' : '';
  return `# Performance

Made by \`npm run bench -- --write${flags}\` on ${date}; not edited by hand. Machine: ${describeMachine()}.
Versions: ${versions.join(', ')}.

All subjects are proxy pairs with the same duties, checked before anything is measured: TLS 1.3 with AES-128-GCM and the
same P-256 certificates at both ends, the client's certificate verified, one caller admitted, its identity in a header that
no caller can forge, connections kept, one worker, no access log. All pairs run at the same time and are measured in
turns, A B C A B C; each figure is the median of the rounds. A column "× nginx" is the median of what each round gave
when divided by nginx in the same round. How much of the machine others used meanwhile is said below each table: the more
it was, the less its figures say, latencies first, ratios last.

${results.map(partSection).join('\n')}`;
}
