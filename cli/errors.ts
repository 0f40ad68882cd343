import { UsageError } from './edge.ts';

/** 2: the command line is wrong. 1: something failed. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
