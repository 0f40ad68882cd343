import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseControlPlaneConfig, type ControlPlaneFlags } from '#control-plane/config.ts';
import { runControlPlane } from '#control-plane/main.ts';
import { Fault } from '#runtime/fault.ts';
import type { Edge, Run } from './edge.ts';

/** Option on the command line → setting in `control-plane.yaml`. */
const settings = {
  'trust-domain': 'trustDomain',
  'data-dir': 'dataDir',
  listen: 'listen',
  'svid-life': 'svidLife',
  'key-file': 'keyFile',
  'passphrase-file': 'passphraseFile',
  policies: 'policies',
} as const;

/** `eastwest control-plane`: settings from a file, from flags, or both; flags win. */
export const run: Run = async ({ values }, edge) => {
  const flags: ControlPlaneFlags = Object.fromEntries(
    Object.entries(settings).flatMap(([option, setting]) => {
      const value = values[option];
      return value === undefined ? [] : [[setting, value]];
    }),
  );
  const config = parseControlPlaneConfig(textOf(values['config'], edge), flags);
  if (!config.ok) {
    throw new Fault('CONFIG_INVALID', `these settings have problems:\n${config.reason}`, {
      hint: 'see `eastwest control-plane --help`',
    });
  }
  const { stop, kill, clock, random } = edge;
  await runControlPlane(config.value, { signal: AbortSignal.any([stop, kill]), clock, random });
  return 0;
};

function textOf(file: string | undefined, edge: Edge): string {
  if (file === undefined) return '';
  const path = resolve(edge.cwd, file);
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Fault('CONFIG_UNREADABLE', `cannot read ${path}`, {
      cause,
      hint: 'name a file that exists: --config FILE',
    });
  }
}
