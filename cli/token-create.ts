import { resolve } from 'node:path';
import { awaitJoinToken } from './admin-socket.ts';
import { UsageError, type Run } from './edge.ts';
import { defaultStateDir } from './run-file.ts';
import { isoTime, parseDuration, showDuration } from './time-text.ts';

const defaultTtl = '10m';
/** For a control plane that was started just before, e.g. by the line above in a script. */
const patienceMs = 15_000;

/** `eastwest token create`: the token alone on standard output, so that it can be piped or written to a file. */
export const run: Run = async ({ positionals, values, flags }, edge) => {
  const [workload = ''] = positionals;
  const ttlMs = parseDuration(values['ttl'] ?? defaultTtl);
  if (ttlMs === undefined) throw new UsageError(`--ttl ${values['ttl']} is no duration`, 'write 30s, 10m or 1h');
  const dataDir = resolve(edge.cwd, values['data-dir'] ?? `${defaultStateDir}/control-plane`);
  const namespace = values['namespace'] ?? 'default';
  const request = { workload, namespace, ttlMs };
  const made = await awaitJoinToken(dataDir, request, {
    clock: edge.clock,
    signal: edge.stop,
    patienceMs,
    onAway: () =>
      edge.stderr.write(`waiting up to ${patienceMs / 1000}s for a control plane with its data in ${dataDir}\n`),
  });
  if (flags.has('json')) {
    const { token, spiffeId, expiresAtMs } = made;
    edge.stdout.write(`${JSON.stringify({ token, spiffeId, expiresAt: isoTime(expiresAtMs) })}\n`);
  } else {
    edge.stdout.write(`${made.token}\n`);
    edge.stderr.write(`works once, within ${showDuration(ttlMs)}, for ${made.spiffeId}\n`);
  }
  return 0;
};
