import type { Run } from '#cli/edge.ts';
import { columns } from '#cli/policy/columns.ts';
import { printableLines } from '#cli/printable.ts';
import { isoTime } from '#cli/time-text.ts';
import type { ResponseOf } from '#proto/registry-messages.ts';
import { askRegistry } from './ask.ts';

/** `eastwest app list`: a row for each registration, and for each name that is held. */
export const run: Run = async (args, edge) => {
  const listed = await askRegistry(args, edge, (client, { credential, options }) =>
    client.list({ credential, name: '' }, options),
  );
  edge.stdout.write(args.flags.has('json') ? `${JSON.stringify(forScripts(listed))}\n` : printableLines(table(listed)));
  return 0;
};

function forScripts({ registrations, held }: ResponseOf<'list'>): object {
  return {
    registrations: registrations.map(({ json: _notAsked, proposal, changedAtMs, secrets, ...rest }) => ({
      ...rest,
      changedAt: isoTime(changedAtMs),
      secrets: secrets.length,
      waits:
        proposal === undefined ? null : { by: proposal.by, at: isoTime(proposal.atMs), widening: proposal.widening },
    })),
    held: held.map(({ kind, name, heldUntilMs }) => ({ kind, name, heldUntil: isoTime(heldUntilMs) })),
  };
}

function table({ registrations, held }: ResponseOf<'list'>): string {
  const rows = registrations.map(({ kind, name, tenant, state, revision, proposal }) => [
    kind,
    name,
    tenant === '' ? '(global)' : tenant,
    state,
    String(revision),
    proposal === undefined ? '' : `by ${proposal.by}`,
  ]);
  const heldRows = held.map(({ kind, name, heldUntilMs }) => [
    kind,
    name,
    '',
    'deleted',
    '',
    `held until ${isoTime(heldUntilMs)}`,
  ]);
  return columns([['KIND', 'NAME', 'TENANT', 'STATE', 'REVISION', 'WAITS'], ...rows, ...heldRows]);
}
