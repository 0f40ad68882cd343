import { askRegistry } from '#cli/app/ask.ts';
import type { Run } from '#cli/edge.ts';
import { Fault } from '#runtime/fault.ts';

/** `eastwest sts revoke-key KID`. */
export const run: Run = async (args, edge) => {
  const kid = args.positionals[0] ?? '';
  const { problem, version, signs } = await askRegistry(args, edge, (client, { credential, options }) =>
    client.revokeSigningKey({ credential, kid }, options),
  );
  if (problem !== '') throw new Fault('NOT_REVOKED', `${kid}: ${problem}`);
  edge.stdout.write(`revoked     ${kid}\n`);
  edge.stderr.write(`published keys are of version ${version} now; `);
  edge.stderr.write(signs === '' ? 'no key signs yet, the next one does soon\n' : `${signs} signs\n`);
  return 0;
};
