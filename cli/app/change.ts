import type { Run } from '#cli/edge.ts';
import { isoTime } from '#cli/time-text.ts';
import { printableLines } from '#cli/printable.ts';
import { UsageError, type Arguments } from '#cli/edge.ts';
import type { RegistryAction, ResponseOf } from '#proto/registry-messages.ts';
import { Fault } from '#runtime/fault.ts';
import { ok } from '#runtime/result.ts';
import { askRegistry } from './ask.ts';
import { findRegistration, keyOf, type ListedRegistration } from './find.ts';
import { proposalText } from './show.ts';

const done: Readonly<Record<RegistryAction, string>> = {
  approve: 'approved',
  reject: 'rejected',
  disable: 'disabled',
  enable: 'enabled',
  delete: 'deleted',
};

/** `eastwest app approve`, `reject`, `disable`, `enable` and `delete`: of what it was when this command looked at it. */
export function changing(action: RegistryAction): Run {
  return async (args, edge) => {
    const wanted = revisionOf(args);
    const { registration, answer } = await askRegistry(args, edge, async (client, asking) => {
      const found = await findRegistration(args.positionals[0] ?? '', client, asking);
      if (!found.ok) return found;
      if (action === 'approve' && found.value.proposal !== undefined) {
        edge.stdout.write(printableLines(proposalText(found.value)));
      }
      const { id, revision } = found.value;
      const request = { credential: asking.credential, id, revision: wanted ?? revision, action };
      const changed = await client.change(request, asking.options);
      return changed.ok ? ok({ registration: found.value, answer: changed.value }) : changed;
    });
    if (answer.problem !== '') throw new Fault('NOT_CHANGED', `${keyOf(registration)}: ${answer.problem}`);
    edge.stdout.write(`${done[action].padEnd(10)}  ${keyOf(registration)}\n`);
    edge.stderr.write(noteOf(action, registration, answer));
    return 0;
  };
}

function revisionOf({ values }: Arguments): number | undefined {
  const text = values['revision'];
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`--revision ${text} is no revision`, 'write the number that `eastwest app show` prints');
}

function noteOf(action: RegistryAction, { kind }: ListedRegistration, answer: ResponseOf<'change'>): string {
  if (action === 'approve' && answer.state === 'disabled')
    return 'it is disabled all the same: `eastwest app enable`\n';
  if (action === 'disable' && kind === 'Client')
    return 'it gets no more tokens; those that it has live on until they end\n';
  return answer.heldUntilMs > 0 ? `nobody gets the name before ${isoTime(answer.heldUntilMs)}\n` : '';
}
