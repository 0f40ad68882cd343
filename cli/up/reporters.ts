import type { Output } from '#cli/edge.ts';
import { describeEvent, totals } from './describe.ts';
import type { Reporter } from './events.ts';
import { renderTable } from './table.ts';

/** Lines for a pipe, a file or a CI log. */
export function plainReporter(stdout: Output): Reporter {
  return {
    report(event) {
      const line = describeEvent(event);
      if (line !== undefined) stdout.write(`${line}\n`);
    },
    show: () => undefined,
    finish: (summary) => stdout.write(`${totals(summary)}\n`),
  };
}

/** One JSON object per line; the last line is the summary and has no `event`. */
export function jsonReporter(stdout: Output): Reporter {
  return {
    report(event) {
      if (event.event !== 'app.output') stdout.write(`${JSON.stringify(event)}\n`);
    },
    show: () => undefined,
    finish: (summary) => stdout.write(`${JSON.stringify(summary)}\n`),
  };
}

const clearToEnd = '\u001B[0J';

/** A table that stays at the bottom of the terminal; events scroll by above it. */
export function tableReporter(stdout: Output): Reporter {
  let table = '';
  let drawnLines = 0;
  const redraw = (above: string): void => {
    const upAgain = drawnLines === 0 ? '' : `\u001B[${drawnLines}A`;
    stdout.write(`\r${upAgain}${clearToEnd}${above}${table}`);
    drawnLines = table === '' ? 0 : table.split('\n').length - 1;
  };
  return {
    report(event) {
      const isInTable = event.event === 'progress' || event.event === 'svid.rotated';
      const line = isInTable ? undefined : describeEvent(event);
      if (line !== undefined) redraw(`${line}\n`);
    },
    show(view) {
      table = `${renderTable(view, stdout.columns()).join('\n')}\n`;
      redraw('');
    },
    finish(summary) {
      drawnLines = 0; // the last table stays where it is
      stdout.write(`${totals(summary)}\n`);
    },
  };
}
