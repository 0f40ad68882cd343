import { askRegistry } from '#cli/app/ask.ts';
import type { Run } from '#cli/edge.ts';
import { Fault } from '#runtime/fault.ts';

/** `eastwest operator remove`. */
export const run: Run = async (args, edge) => {
  const name = args.positionals[0] ?? '';
  const { problem } = await askRegistry(args, edge, (client, { credential, options }) =>
    client.removeOperator({ credential, name }, options),
  );
  if (problem !== '') throw new Fault('OPERATOR_REFUSED', `${name} was not removed: ${problem}`);
  edge.stdout.write(`removed  ${name}\n`);
  return 0;
};
