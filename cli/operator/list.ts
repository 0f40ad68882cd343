import { askRegistry } from '#cli/app/ask.ts';
import type { Run } from '#cli/edge.ts';
import { columns } from '#cli/policy/columns.ts';
import { isoTime } from '#cli/time-text.ts';

/** `eastwest operator list`. */
export const run: Run = async (args, edge) => {
  const { operators } = await askRegistry(args, edge, (client, { credential, options }) =>
    client.listOperators({ credential }, options),
  );
  if (args.flags.has('json')) {
    const forScripts = operators.map(({ addedAtMs, ...operator }) => ({ ...operator, addedAt: isoTime(addedAtMs) }));
    edge.stdout.write(`${JSON.stringify(forScripts)}\n`);
    return 0;
  }
  const rows = operators.map(({ name, roles, id, addedAtMs }) => [name, roles.join(', '), id, isoTime(addedAtMs)]);
  edge.stdout.write(columns([['NAME', 'ROLES', 'ID', 'ADDED'], ...rows]));
  return 0;
};
