import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Run } from '#cli/edge.ts';
import { defaultStateDir } from '#cli/run-file.ts';
import { storeFile } from '#control-plane/data-dir.ts';
import { removeAdmins } from '#control-plane/operators/reset.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import { Fault } from '#runtime/fault.ts';

/** `eastwest operator reset`: on the store itself, while no control plane runs. */
export const run: Run = async ({ values }, edge) => {
  const dataDir = resolve(edge.cwd, values['data-dir'] ?? `${defaultStateDir}/control-plane`);
  const path = join(dataDir, storeFile);
  if (!existsSync(path)) {
    throw new Fault('NO_STORE', `there is no store in ${dataDir}`, { hint: 'name the data directory: --data-dir DIR' });
  }
  const store = openStore(path);
  try {
    const names = await removeAdmins(store, edge.clock.now());
    for (const name of names) edge.stdout.write(`removed  ${name}\n`);
    edge.stderr.write('the owner of the admin socket is admin, until another admin is named\n');
    return 0;
  } finally {
    store.close();
  }
};
