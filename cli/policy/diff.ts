import type { Run } from '#cli/edge.ts';
import { policyKey } from '#proto/messages.ts';
import { writeDocument } from '#runtime/documents.ts';
import { askPolicies } from './ask.ts';
import { problemText, readPolicyFiles, warningText } from './files.ts';
import { diffLines } from './line-diff.ts';

const somethingWouldChange = 3;

/** `eastwest policy diff`: what would be created or changed, line by line. */
export const run: Run = async (args, edge) => {
  const files = await readPolicyFiles(args.positionals, edge);
  const { changes, problems, warnings } = await askPolicies(args, edge, (client, options) =>
    client.check(files, options),
  );
  if (problems.length > 0) {
    edge.stderr.write(problemText(problems));
    return 1;
  }
  edge.stderr.write(warningText(warnings));
  const differing = changes.filter(({ outcome }) => outcome !== 'unchanged');
  for (const change of differing) {
    edge.stdout.write(`${change.outcome} ${policyKey(change)}\n`);
    for (const line of diffLines(linesOf(change.before), linesOf(change.after))) edge.stdout.write(`${line}\n`);
  }
  return differing.length > 0 ? somethingWouldChange : 0;
};

/** As YAML, in the order in which it was written. */
function linesOf(json: string): string[] {
  return json === '' ? [] : writeDocument(JSON.parse(json)).trimEnd().split('\n');
}
