import type { Run } from '#cli/edge.ts';
import { policyKey } from '#proto/messages.ts';
import { Fault } from '#runtime/fault.ts';
import { askPolicies } from './ask.ts';
import { problemText, readPolicyFiles, warningText } from './files.ts';

/** `eastwest policy apply`: one line per document, then the revision. */
export const run: Run = async (args, edge) => {
  const files = await readPolicyFiles(args.positionals, edge);
  const isDryRun = args.flags.has('dry-run');
  const applied = await askPolicies(args, edge, (client, options) =>
    isDryRun ? client.check(files, options) : client.apply(files, options),
  );
  if (applied.problems.length > 0) {
    edge.stderr.write(`${problemText(applied.problems)}nothing was changed\n`);
    return 1;
  }
  if (applied.changes.length === 0) {
    throw new Fault('NO_DOCUMENT', `there is no document in ${files.map(({ name }) => name).join(', ')}`);
  }
  edge.stderr.write(warningText(applied.warnings));
  for (const change of applied.changes) edge.stdout.write(`${change.outcome.padEnd(9)}  ${policyKey(change)}\n`);
  edge.stdout.write(isDryRun ? `nothing was changed: --dry-run\n` : `revision ${applied.revision}\n`);
  return 0;
};
