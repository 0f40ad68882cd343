import { parseArgs } from 'node:util';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Effort } from './part.ts';

export interface Wish {
  /** Names of parts; empty: all. */
  readonly only: readonly string[];
  readonly effort: Effort;
  readonly output: 'tables' | 'json';
  readonly document: 'write' | 'leave';
}

export const help = `npm run bench -- [options]

Measures Eastwest beside its peers, as proxy pairs with the same duties on the same app, in turns.

  --only NAME   one part; may be given several times
  --quick       shorter: each part ends in under 50 s
  --json        one JSON line per figure instead of tables
  --write       writes the tables to docs/performance.md; without --only
  --help

`;

/** Refuses with what is wrong, or with `help`. */
export function parseWish(words: readonly string[], parts: readonly string[]): Result<Wish, string> {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        only: { type: 'string', multiple: true, default: [] },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return refuse('help');
    const unknown = values.only.find((name) => !parts.includes(name));
    if (unknown !== undefined) return refuse(`there is no part ${unknown}; there are ${parts.join(', ')}`);
    if (values.write && values.only.length > 0) return refuse('--write needs all parts: leave --only out');
    return ok({
      only: values.only,
      effort: values.quick ? 'quick' : 'full',
      output: values.json ? 'json' : 'tables',
      document: values.write ? 'write' : 'leave',
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}
