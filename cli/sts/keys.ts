import { askRegistry } from '#cli/app/ask.ts';
import type { Run } from '#cli/edge.ts';
import { columns } from '#cli/policy/columns.ts';
import { printableLines } from '#cli/printable.ts';
import { isoTime } from '#cli/time-text.ts';
import type { ResponseOf } from '#proto/registry-messages.ts';

type Listed = ResponseOf<'signingKeys'>;

/** `eastwest sts keys`: a row for each published key. */
export const run: Run = async (args, edge) => {
  const listed = await askRegistry(args, edge, (client, { credential, options }) =>
    client.signingKeys({ credential }, options),
  );
  if (args.flags.has('json')) edge.stdout.write(`${JSON.stringify(forScripts(listed))}\n`);
  else edge.stdout.write(printableLines(`${headOf(listed)}\n${table(listed)}`));
  return 0;
};

const timeOr = (ms: number, none: string): string => (ms === 0 ? none : isoTime(ms));

function forScripts({ keys, ...rest }: Listed): object {
  return {
    ...rest,
    keys: keys.map(({ kid, state, publishedAtMs, signsFromMs, retiredAtMs }) => ({
      kid,
      state,
      publishedAt: isoTime(publishedAtMs),
      signsFrom: signsFromMs === 0 ? null : isoTime(signsFromMs),
      retiredAt: retiredAtMs === 0 ? null : isoTime(retiredAtMs),
    })),
  };
}

function headOf({ issuer, version, agentsConnected, agentsCurrent, tokensIssued, tokensRefused }: Listed): string {
  return [
    `issuer    ${issuer}`,
    `keys      version ${version}, known to ${agentsCurrent} of ${agentsConnected} connected agents`,
    `tokens    ${tokensIssued} issued, ${tokensRefused} refused since the start`,
    '',
  ].join('\n');
}

function table({ keys }: Listed): string {
  const rows = keys.map(({ kid, state, publishedAtMs, signsFromMs, retiredAtMs }) => [
    state,
    kid,
    isoTime(publishedAtMs),
    timeOr(signsFromMs, 'not yet'),
    timeOr(retiredAtMs, ''),
  ]);
  return columns([['STATE', 'KID', 'PUBLISHED', 'SIGNS FROM', 'RETIRED'], ...rows]);
}
