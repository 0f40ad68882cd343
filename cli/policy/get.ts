import type { Run } from '#cli/edge.ts';
import { policyKey } from '#proto/messages.ts';
import type { ListedPolicy } from '#proto/policy-messages.ts';
import { writeDocument } from '#runtime/documents.ts';
import { Fault } from '#runtime/fault.ts';
import { askPolicies } from './ask.ts';
import { columns } from './columns.ts';

/** `eastwest policy get`: a table of all, the documents of one name, or JSON. */
export const run: Run = async (args, edge) => {
  const [name] = args.positionals;
  const { policies: all } = await askPolicies(args, edge, (client, options) => client.list(options));
  const policies = all
    .filter((policy) => name === undefined || isNamed(policy, name))
    .toSorted((a, b) => (policyKey(a) < policyKey(b) ? -1 : 1));
  if (name !== undefined && policies.length === 0) {
    throw new Fault('NO_POLICY', `there is no policy ${name}`, { hint: 'see `eastwest policy get`' });
  }
  if (args.flags.has('json')) {
    const listed = policies.map(({ json, ...rest }) => ({ ...rest, document: JSON.parse(json) as unknown }));
    edge.stdout.write(`${JSON.stringify(listed)}\n`);
  } else if (name === undefined) edge.stdout.write(table(policies));
  else edge.stdout.write(policies.map(({ json }) => writeDocument(JSON.parse(json))).join('---\n'));
  return 0;
};

/** `NAME`, `NAMESPACE/NAME` or `KIND/NAMESPACE/NAME`. */
function isNamed(policy: ListedPolicy, name: string): boolean {
  return policyKey(policy) === name || policyKey(policy).endsWith(`/${name}`);
}

function table(policies: readonly ListedPolicy[]): string {
  const rows = policies.map(({ kind, namespace, name, revision, source }) => {
    return [kind, namespace, name, String(revision), source === '' ? '(applied)' : source];
  });
  return columns([['KIND', 'NAMESPACE', 'NAME', 'REVISION', 'SOURCE'], ...rows]);
}
