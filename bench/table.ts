import type { Column, Figure, Gap, Part } from './part.ts';
import { median, ratio } from './statistics.ts';

/** Peers' figures are shown as they are, ours and theirs also as multiples of this one's. */
const referenceSubject = 'nginx';

/** One part's figures as a Markdown table, a line for each scenario and subject, and a line for what is missing. */
export function partTable(part: Part, figures: readonly Figure[], gaps: readonly Gap[]): string {
  const compared = figures.some(({ subject }) => subject === referenceSubject);
  const columns = part.columns.map((column) => (compared ? column : ({ ...column, ratio: 'alone' } as const)));
  const header = ['scenario', 'subject', ...columns.flatMap(titlesOf)];
  const rows = part.scenarios.flatMap(({ name: scenario }) => {
    const here = figures.filter((figure) => figure.scenario === scenario);
    const subjects = [...new Set(here.map(({ subject }) => subject))];
    return subjects.map((subject) => [
      scenario,
      subject,
      ...columns.flatMap((column) => cellsOf(column, subject, here)),
    ]);
  });
  const missing = gaps.map(({ subject, why }) => `Missing: ${subject} (${why}).`);
  return [markdownTable(header, rows), ...missing].join('\n\n');
}

function titlesOf({ title, ratio: shown }: Column): string[] {
  return shown === 'with-ratio' ? [title, `× ${referenceSubject}`] : [title];
}

function cellsOf({ metric, digits, ratio: shown }: Column, subject: string, here: readonly Figure[]): string[] {
  const samplesOf = (name: string): readonly number[] =>
    here.find((figure) => figure.subject === name && figure.metric === metric)?.samples ?? [];
  const own = samplesOf(subject);
  const value = number(median(own), digits);
  return shown === 'with-ratio' ? [value, number(ratio(own, samplesOf(referenceSubject)), 2)] : [value];
}

function number(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Columns of equal width, the first two to the left, numbers to the right: as the formatter would write it. */
function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, at) => Math.max(3, title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const isText = (at: number): boolean => at < 2;
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, at) =>
      isText(at) ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    );
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, at) => (isText(at) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [header, rule, ...rows].map(line).join('\n');
}
