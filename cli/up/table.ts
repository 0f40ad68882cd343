import { showDuration } from '#cli/time-text.ts';
import { totals } from './describe.ts';
import type { View } from './events.ts';

type Align = 'left' | 'right';
const columns: readonly (readonly [title: string, align: Align])[] = [
  ['WORKLOAD', 'left'],
  ['APP', 'left'],
  ['AGENT', 'left'],
  ['EXPIRES IN', 'right'],
  ['ROTATIONS', 'right'],
  ['CALLS OK', 'right'],
  ['FAILED', 'right'],
  ['SPIFFE ID', 'left'],
];

/** The lines of the live table, none wider than `width`. */
export function renderTable(view: View, width: number): readonly string[] {
  const rows = view.rows.map((row, i) => {
    const workload = view.summary.workloads[i];
    return [
      row.name,
      row.app,
      row.agent,
      row.notAfterMs === undefined ? '-' : showDuration(row.notAfterMs - view.nowMs),
      String(workload?.rotations ?? 0),
      String(row.requests - row.failed),
      String(row.failed),
      workload?.spiffeId ?? '',
    ];
  });
  const state = view.readyForMs === undefined ? 'starting' : `up ${showDuration(view.readyForMs)}`;
  const path = view.path === undefined ? '' : `  ${view.path.join(' → ')} over mTLS`;
  const lines = ['', `${view.mesh}  ${state}${path}`, ...alignColumns(rows), totals(view.summary)];
  return lines.map((line) => line.slice(0, Math.max(1, width - 1)));
}

/** Title line and one line per row. */
function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = columns.map(([title], i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [columns.map(([title]) => title), ...rows].map((cells) =>
    cells
      .map((cell, i) => (columns[i]?.[1] === 'right' ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
