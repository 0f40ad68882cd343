import { printable } from './printable.ts';

/** Where something is wrong in a file; lines and columns from 1. */
export interface PlacedProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** In the document; empty: the document as a whole. */
  readonly path: string;
  readonly problem: string;
}

/** `file:line:column path: problem`, a line each: file by file as they come, from top to bottom. */
export function problemLines(problems: readonly PlacedProblem[]): readonly string[] {
  const byFile = Map.groupBy(problems, ({ file }) => file);
  return [...byFile.values()].flatMap((ofFile) =>
    ofFile
      .toSorted((a, b) => a.line - b.line || a.column - b.column)
      .map(({ file, line, column, path, problem }) => {
        const place = path === '' ? '' : ` ${path}`;
        return printable(`${file}:${line}:${column}${place}: ${problem}`);
      }),
  );
}
