import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { storeFile } from '#control-plane/data-dir.ts';
import { Fault } from '#runtime/fault.ts';
import type { StateDir } from './state-dir.ts';

const noteFile = 'mesh.json';

/**
 * Notes whose mesh the folder keeps. Throws `Fault` OTHER_MESH when it holds the control plane's store of another trust
 * domain, which no control plane would start with.
 */
export function claimForTrustDomain(state: StateDir, trustDomain: string): void {
  const hasStore = existsSync(join(state.controlPlaneDir, storeFile));
  const owner = hasStore ? ownerOf(state) : undefined;
  if (owner !== undefined && owner !== trustDomain) {
    throw new Fault(
      'OTHER_MESH',
      `${basename(state.path)} belongs to the mesh of ${owner}, this one is ${trustDomain}`,
      {
        hint: `remove ${state.path}, or use --state-dir DIR`,
      },
    );
  }
  writeFileSync(join(state.path, noteFile), `${JSON.stringify({ trustDomain })}\n`, { mode: 0o600 });
}

/** As noted, or as an agent was told. */
function ownerOf({ path, agentDir }: StateDir): string | undefined {
  const agents = existsSync(agentDir) ? readdirSync(agentDir).map((name) => join(agentDir, name)) : [];
  for (const file of [join(path, noteFile), ...agents]) {
    const owner = trustDomainIn(file);
    if (owner !== undefined) return owner;
  }
  return undefined;
}

function trustDomainIn(file: string): string | undefined {
  try {
    const { trustDomain } = JSON.parse(readFileSync(file, 'utf8')) as { trustDomain?: unknown };
    return typeof trustDomain === 'string' ? trustDomain : undefined;
  } catch {
    return undefined; // not there, half-written or not ours
  }
}
