import { askRegistry } from '#cli/app/ask.ts';
import { UsageError, type Run } from '#cli/edge.ts';
import { Fault } from '#runtime/fault.ts';

/** `eastwest operator add`: the credential alone on standard output. */
export const run: Run = async (args, edge) => {
  const name = args.positionals[0] ?? '';
  const roles = args.lists['role'] ?? [];
  if (roles.length === 0)
    throw new UsageError('--role is missing', 'write --role registrar, approver, auditor or admin');
  const { problem, madeCredential } = await askRegistry(args, edge, (client, { credential, options }) =>
    client.addOperator({ credential, name, roles }, options),
  );
  if (problem !== '') throw new Fault('OPERATOR_REFUSED', `${name} was not added: ${problem}`);
  edge.stdout.write(`${madeCredential}\n`);
  edge.stderr.write(
    `${name} is ${roles.join(', ')}; the credential is shown this once: keep it in a file with mode 0600\n`,
  );
  return 0;
};
