import { explanationText } from '#policy/explain-text.ts';
import { callOf, explainedOrThrow } from './asked-call.ts';
import { UsageError, type Arguments, type Run } from './edge.ts';
import { explainDecision } from './explain-decision.ts';
import { readRawPolicyFiles } from './policy-files.ts';
import { allPrintable } from './printable.ts';
import { workloadNamed } from './workload-names.ts';

/** `eastwest explain`: what the policies in these files say to one call, rule by rule, without a running mesh. */
export const run: Run = async (args, edge) => {
  const [only, ...others] = args.positionals;
  if (only !== undefined && others.length === 0 && args.lists['policies'] === undefined)
    return explainDecision(only, args, edge);
  const { from, to, policies } = questionOf(args);
  const filed = readRawPolicyFiles(policies, edge);
  const documents = filed.map(({ document }) => document);
  const [method, path] = args.positionals;
  const { port, host, 'trust-domain': trustDomain } = args.values;
  const workload = workloadNamed(to, { from, trustDomain, documents });
  const headers = args.lists['header'] ?? [];
  const call = callOf({ from, workload, port, method, path, host, headers }, { documents, trustDomain });
  const explanation = explainedOrThrow(filed, workload, call);
  edge.stdout.write(
    args.flags.has('json') ? `${JSON.stringify(explanation)}\n` : explanationText(allPrintable(explanation)),
  );
  return explanation.verdict === 'allow' ? 0 : 1;
};

interface Question {
  readonly from: string | undefined;
  readonly to: string;
  readonly policies: readonly string[];
}

function questionOf({ values, lists, flags }: Arguments): Question {
  const { from, to } = values;
  const { policies } = lists;
  const isPlaintext = flags.has('plaintext');
  if (policies === undefined) throw new UsageError('--policies is missing', 'write --policies FILE|DIR');
  if (from === undefined && !isPlaintext) throw new UsageError('--from is missing', 'say who calls: --from cart');
  if (from !== undefined && isPlaintext) throw new UsageError('--plaintext contradicts --from', 'keep one of them');
  if (to === undefined) throw new UsageError('--to is missing', 'say who is called: --to payments');
  return { from, to, policies };
}
