import { delimiter } from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/** What our own children need; everything else of the user's environment stays away from them. */
const passedOn = ['HOME', 'LANG', 'LC_ALL', 'NODE_COMPILE_CACHE', 'PATH', 'TMPDIR', 'TZ', 'USER'];

/** For control plane, agents and helpers: a minimal environment without a secret in it. */
export function ownEnv(env: Env): Record<string, string> {
  return pick(env, (name) => passedOn.includes(name));
}

/**
 * For an app: the user's environment, without names of ours, and `extra` on top. `nodeDir` comes first on PATH, so
 * that `node` is the one this package brought.
 */
export function appEnv(env: Env, extra: Readonly<Record<string, string>>, nodeDir: string): Record<string, string> {
  const cacheIsOurs = env['NODE_COMPILE_CACHE'] === env['EASTWEST_COMPILE_CACHE'];
  const isTheirs = (name: string): boolean =>
    !name.startsWith('EASTWEST_') && !(name === 'NODE_COMPILE_CACHE' && cacheIsOurs);
  const path = [nodeDir, ...(env['PATH'] === undefined ? [] : [env['PATH']])].join(delimiter);
  return { ...pick(env, isTheirs), PATH: path, ...extra };
}

function pick(env: Env, keep: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && keep(entry[0])),
  );
}
