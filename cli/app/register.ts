import type { Run } from '#cli/edge.ts';
import { problemText, readPolicyFiles } from '#cli/policy/files.ts';
import type { ResponseOf } from '#proto/registry-messages.ts';
import { Fault } from '#runtime/fault.ts';
import { askRegistry } from './ask.ts';
import { keyOf } from './find.ts';

type Registered = ResponseOf<'register'>['documents'][number];

/** `eastwest app register`: a line for each document, and a line for each secret that was made. */
export const run: Run = async (args, edge) => {
  const files = await readPolicyFiles(args.positionals, edge);
  const { documents, problems } = await askRegistry(args, edge, (client, { credential, options }) =>
    client.register({ credential, files }, options),
  );
  if (problems.length > 0) {
    edge.stderr.write(`${problemText(problems)}nothing was changed\n`);
    return 1;
  }
  if (documents.length === 0) {
    throw new Fault('NO_DOCUMENT', `there is no document in ${files.map(({ name }) => name).join(', ')}`);
  }
  if (args.flags.has('json')) edge.stdout.write(`${JSON.stringify(documents)}\n`);
  else for (const document of documents) edge.stdout.write(linesOf(document));
  for (const line of hintsOf(documents)) edge.stderr.write(`${line}\n`);
  return 0;
};

function linesOf(document: Registered): string {
  const { outcome, revision, secret, widening } = document;
  const key = keyOf(document);
  const lines = [`${outcome.padEnd(10)}  ${key}${revision === 0 ? '' : `  revision ${revision}`}`];
  if (secret !== '') lines.push(`secret      ${key}  ${secret}`);
  for (const each of widening) lines.push(`widens      ${each}`);
  return `${lines.join('\n')}\n`;
}

function hintsOf(documents: readonly Registered[]): readonly string[] {
  const waiting = documents.filter(({ outcome }) => outcome === 'proposed').map(keyOf);
  const hints = waiting.map((key) => `waits for another operator: eastwest app approve ${key}`);
  return documents.some(({ secret }) => secret !== '') ? [...hints, 'a secret is shown this once: keep it'] : hints;
}
