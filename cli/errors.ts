import { errorLines } from '#runtime/error-lines.ts';
import { UsageError } from './edge.ts';
import { printableLines } from './printable.ts';

/** 2: the command line is wrong. 1: something failed. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}

/** What a person sees of it. Files and other programs may have said some of it: nothing steers a terminal. */
export function errorText(error: unknown): string {
  return printableLines(errorLines(error));
}
