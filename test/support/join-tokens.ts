import { findAdminSocket } from '#control-plane/data-dir.ts';
import { createAdminClient } from '#proto/admin.ts';
import { systemClock } from '#runtime/system-clock.ts';

/** One for each workload, in their order, from the operator's socket of a running control plane. */
export async function makeJoinTokens(
  { dataDir }: { readonly dataDir: string },
  names: readonly string[],
  namespaceOf: (name: string) => string = () => 'default',
): Promise<string[]> {
  const admin = createAdminClient({ socketPath: await findAdminSocket(dataDir), clock: systemClock });
  try {
    return await Promise.all(
      names.map(async (workload) => {
        const request = { workload, namespace: namespaceOf(workload), ttlMs: 600_000 };
        const made = await admin.createJoinToken(request, { deadlineMs: 5_000, signal: new AbortController().signal });
        if (!made.ok) throw new Error(made.reason.reason);
        return made.value.token;
      }),
    );
  } finally {
    admin.close();
  }
}
