import { showDuration } from '#cli/time-text.ts';
import { totals } from './describe.ts';
import type { View } from './events.ts';

type Align = 'left' | 'right';
interface Column {
  readonly title: string;
  readonly align: Align;
  readonly cells: readonly string[];
}

/** What a narrow terminal does without, first to go first. */
const dispensable = ['SPIFFE ID', 'APP', 'AGENT'];

/** The lines of the live table, none wider than `width`: columns are left out by importance before any line is cut. */
export function renderTable(view: View, width: number): readonly string[] {
  const room = Math.max(1, width - 1);
  let columns = columnsOf(view);
  let table = alignColumns(columns);
  for (const title of dispensable) {
    if (table.every((line) => line.length <= room)) break;
    columns = columns.filter((column) => column.title !== title);
    table = alignColumns(columns);
  }
  const state = view.readyForMs === undefined ? 'starting' : `up ${showDuration(view.readyForMs)}`;
  const path = view.path === undefined ? '' : `  ${view.path.join(' → ')} over mTLS`;
  const lines = ['', `${view.mesh}  ${state}${path}`, ...table, totals(view.summary)];
  return lines.map((line) => line.slice(0, room));
}

function columnsOf({ rows, summary, nowMs }: View): readonly Column[] {
  const column = (title: string, align: Align, cell: (row: View['rows'][number], i: number) => string): Column => ({
    title,
    align,
    cells: rows.map(cell),
  });
  const expiry = (notAfterMs: number | undefined): string =>
    notAfterMs === undefined ? '-' : showDuration(notAfterMs - nowMs);
  return [
    column('WORKLOAD', 'left', ({ name }) => name),
    column('APP', 'left', ({ app }) => app),
    column('AGENT', 'left', ({ agent }) => agent),
    column('EXPIRES IN', 'right', ({ notAfterMs }) => expiry(notAfterMs)),
    column('ROTATIONS', 'right', (_, i) => String(summary.workloads[i]?.rotations ?? 0)),
    column('CALLS OK', 'right', ({ requests, failed }) => String(Math.max(0, requests - failed))),
    column('FAILED', 'right', ({ failed }) => String(failed)),
    column('SPIFFE ID', 'left', (_, i) => summary.workloads[i]?.spiffeId ?? ''),
  ];
}

/** Title line and one line per row. */
function alignColumns(columns: readonly Column[]): readonly string[] {
  const padded = columns.map(({ title, align, cells }) => {
    const width = Math.max(title.length, ...cells.map((cell) => cell.length));
    return [title, ...cells].map((cell) => (align === 'right' ? cell.padStart(width) : cell.padEnd(width)));
  });
  return (padded[0] ?? []).map((_, i) =>
    padded
      .map((cells) => cells[i])
      .join('  ')
      .trimEnd(),
  );
}
