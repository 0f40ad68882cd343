import { UsageError, type Arguments, type Run } from '#cli/edge.ts';
import { parseDuration, showDuration } from '#cli/time-text.ts';
import { Fault } from '#runtime/fault.ts';
import { ok } from '#runtime/result.ts';
import { askRegistry } from './ask.ts';
import { findRegistration, keyOf } from './find.ts';

const defaultOverlap = '24h';

/** `eastwest app rotate-secret`: the secret alone on standard output. */
export const run: Run = async (args, edge) => {
  const overlapMs = overlapOf(args);
  const { registration, answer } = await askRegistry(args, edge, async (client, asking) => {
    const found = await findRegistration(args.positionals[0] ?? '', client, asking);
    if (!found.ok) return found;
    const { id, revision } = found.value;
    const rotated = await client.rotateSecret(
      { credential: asking.credential, id, revision, overlapMs },
      asking.options,
    );
    return rotated.ok ? ok({ registration: found.value, answer: rotated.value }) : rotated;
  });
  const key = keyOf(registration);
  if (answer.problem !== '') throw new Fault('NOT_ROTATED', `${key}: ${answer.problem}`);
  edge.stdout.write(`${answer.secret}\n`);
  const before = overlapMs === 0 ? 'ends at once' : `stays good for ${showDuration(overlapMs)}`;
  edge.stderr.write(
    answer.state === 'waiting'
      ? `counts once another operator approves it: eastwest app approve ${key}; from then on the one before ${before}\n`
      : `the secret before it ${before}; this one is shown this once: keep it\n`,
  );
  return 0;
};

function overlapOf({ values, flags }: Arguments): number {
  const text = values['overlap'];
  if (flags.has('now')) {
    if (text !== undefined) throw new UsageError('--now and --overlap exclude each other', 'keep one of them');
    return 0;
  }
  const overlapMs = parseDuration(text ?? defaultOverlap);
  if (overlapMs !== undefined) return overlapMs;
  throw new UsageError(`--overlap ${text} is no duration`, 'write 10m or 24h, or --now');
}
