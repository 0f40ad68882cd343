import { UsageError, type Run } from '#cli/edge.ts';
import { policyKey, type PolicyRef } from '#proto/messages.ts';
import { Fault } from '#runtime/fault.ts';
import { askPolicies } from './ask.ts';

/** `eastwest policy delete`. */
export const run: Run = async (args, edge) => {
  const ref = parseRef(args.positionals[0] ?? '');
  const { revision, problem } = await askPolicies(args, edge, (client, options) => client.delete(ref, options));
  if (problem !== '') throw new Fault('POLICY_NOT_DELETED', problem);
  edge.stdout.write(`deleted    ${policyKey(ref)}\nrevision ${revision}\n`);
  return 0;
};

function parseRef(text: string): PolicyRef {
  const [kind = '', namespace = '', name = '', ...rest] = text.split('/');
  if (kind !== '' && name !== '' && rest.length === 0) return { kind, namespace, name };
  throw new UsageError(`${text} names no policy`, 'write KIND/NAMESPACE/NAME, as `eastwest policy get` has them');
}
