import type { Column, Figure, Gap, Part } from '#bench/parts/part.ts';
import { median, ratio } from '#bench/statistics.ts';

/** Figures are shown as they are and as multiples of the first of these that is there. */
const references = ['envoy', 'nginx', 'haproxy'];

/** One part's figures as a Markdown table, a line for each scenario and subject, and a line for what is missing. */
export function partTable(part: Part, figures: readonly Figure[], gaps: readonly Gap[]): string {
  const reference = references.find((name) => figures.some(({ subject }) => subject === name));
  const columns = part.columns
    .filter(({ metric }) => figures.some((figure) => figure.metric === metric))
    .map((column) => (reference === undefined ? ({ ...column, ratio: 'alone' } as const) : column));
  const header = ['scenario', 'subject', ...columns.flatMap((column) => titlesOf(column, reference))];
  const rows = part.scenarios.flatMap(({ name: scenario }) => {
    const here = figures.filter((figure) => figure.scenario === scenario);
    const subjects = [...new Set(here.map(({ subject }) => subject))];
    return subjects.map((subject) => [
      scenario,
      subject,
      ...columns.flatMap((column) => cellsOf(column, { subject, reference }, here)),
    ]);
  });
  const missing = gaps.map(({ subject, scenario, why }) => {
    return `Missing: ${subject}${scenario === undefined ? '' : ` in \`${scenario}\``} (${why}).`;
  });
  return [markdownTable(header, rows), ...missing].join('\n\n');
}

function titlesOf({ title, ratio: shown }: Column, reference: string | undefined): string[] {
  return shown === 'with-ratio' ? [title, `× ${reference}`] : [title];
}

function cellsOf(
  { metric, digits, ratio: shown }: Column,
  { subject, reference = '' }: { readonly subject: string; readonly reference: string | undefined },
  here: readonly Figure[],
): string[] {
  const samplesOf = (name: string): readonly number[] =>
    here.find((figure) => figure.subject === name && figure.metric === metric)?.samples ?? [];
  const own = samplesOf(subject);
  const value = number(median(own), digits);
  return shown === 'with-ratio' ? [value, number(ratio(own, samplesOf(reference)), 2)] : [value];
}

export function number(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Columns of equal width, the `texts` to the left, numbers to the right: as the formatter would write it. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  texts: readonly number[] = [0, 1],
): string {
  const widths = header.map((title, at) => Math.max(3, title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const isText = (at: number): boolean => texts.includes(at);
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, at) =>
      isText(at) ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    );
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, at) => (isText(at) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [header, rule, ...rows].map(line).join('\n');
}
