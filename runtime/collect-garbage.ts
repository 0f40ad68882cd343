/**
 * Collects this thread's garbage and gives free pages back to the system; undefined without `--expose-gc`, which
 * `eastwest agent` sets.
 */
export const collectGarbage: (() => void) | undefined =
  globalThis.gc && (() => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }));
