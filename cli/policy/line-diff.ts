const context = 3;
/** Above it, lines before and after are not matched one by one. */
const maxCells = 4_000_000;

/** `- ` what goes, `+ ` what comes, two spaces what stays: three lines of that around each change, `  …` for the rest. */
export function diffLines(before: readonly string[], after: readonly string[]): string[] {
  return shorten(compare(before, after));
}

function compare(before: readonly string[], after: readonly string[]): string[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end))
    end += 1;
  const same = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
  return [
    ...same(before.slice(0, start)),
    ...compareMiddle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...same(before.slice(before.length - end)),
  ];
}

/** By a longest common subsequence. */
function compareMiddle(before: readonly string[], after: readonly string[]): string[] {
  const rows = before.length + 1;
  const wide = after.length + 1;
  const gone = before.map((line) => `- ${line}`);
  const come = after.map((line) => `+ ${line}`);
  if (rows * wide > maxCells) return [...gone, ...come];
  const longest = new Uint32Array(rows * wide); // of what is left from here
  const at = (row: number, column: number): number => longest[row * wide + column] ?? 0;
  for (let row = rows - 2; row >= 0; row -= 1) {
    for (let column = wide - 2; column >= 0; column -= 1) {
      const isSame = before[row] === after[column];
      longest[row * wide + column] = isSame
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const lines: string[] = [];
  let [row, column] = [0, 0];
  while (row < before.length && column < after.length) {
    if (before[row] === after[column]) {
      lines.push(`  ${before[row]}`);
      row += 1;
      column += 1;
    } else if (at(row + 1, column) >= at(row, column + 1)) lines.push(gone[row++] ?? '');
    else lines.push(come[column++] ?? '');
  }
  return [...lines, ...gone.slice(row), ...come.slice(column)];
}

function shorten(lines: readonly string[]): string[] {
  const isNear = (index: number): boolean =>
    lines.slice(Math.max(0, index - context), index + context + 1).some((line) => !line.startsWith('  '));
  const kept: string[] = [];
  for (const [index, line] of lines.entries()) {
    if (isNear(index)) kept.push(line);
    else if (kept.at(-1) !== '  …') kept.push('  …');
  }
  return kept;
}
