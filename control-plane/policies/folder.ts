import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import { maxPoliciesLength } from '#proto/messages.ts';
import type { ApplyPoliciesResponse, PolicyFile, PolicyProblem } from '#proto/policy-messages.ts';
import { readBoundedFile } from '#runtime/bounded-file.ts';
import type { Clock } from '#runtime/clock.ts';
import { defaultFolderWatch, watchFolder } from '#runtime/file-watch.ts';
import type { Emit } from '#runtime/log.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { PolicyKeeper } from './keeper.ts';

/** Only what is the same in two readings this far apart counts: a file that is half written may look whole. */
const secondReadingMs = 25;
/** So many problems are told one by one. */
const maxProblemsTold = 20;

export interface PolicyFolderParts {
  readonly dir: string;
  readonly keeper: Pick<PolicyKeeper, 'useFolder' | 'basis'>;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
}

/**
 * Keeps the documents of the folder's `*.yaml` files in force. The folder is judged as a whole: with one bad document,
 * or while it cannot be read, the last good set stays. Runs until the signal aborts, then throws its reason.
 */
export async function followPolicyFolder(
  { dir, keeper, clock, emit }: PolicyFolderParts,
  signal: AbortSignal,
): Promise<never> {
  let judged = { digest: '', basis: '', isRefused: false };
  let told = '';

  async function look(): Promise<void> {
    const first = digestOf(await readFolder(dir));
    const isOld = judged.isRefused && judged.basis !== keeper.basis(); // what was in its way may be gone
    if (first === judged.digest && !isOld) return;
    await clock.sleep(secondReadingMs, signal);
    const reading = await readFolder(dir);
    const digest = digestOf(reading);
    if (digest !== first) return look();
    const used = reading.ok ? await use(reading.value) : { problems: [reading.reason], warnings: [] };
    if (used === undefined) return;
    judged = { digest, basis: keeper.basis(), isRefused: used.problems.length > 0 };
    tell(used);
  }

  /** Undefined: a fault of ours, so that it is tried again. */
  async function use(files: readonly PolicyFile[]): Promise<Told | undefined> {
    try {
      return await keeper.useFolder(files);
    } catch (error) {
      emit({ event: 'request.failed', error });
      return undefined;
    }
  }

  /** Once, however often it is found again. */
  function tell({ problems, warnings }: Told): void {
    const text = JSON.stringify([problems, warnings]);
    if (text === told) return;
    told = text;
    for (const { file, line, path, problem } of warnings.slice(0, maxProblemsTold)) {
      emit({ event: 'policy-files.doubtful', file, line, path, problem, problems: warnings.length });
    }
    for (const { file, line, column, path, problem } of problems.slice(0, maxProblemsTold)) {
      emit({ event: 'policy-files.refused', file, line, column, path, problem, problems: problems.length });
    }
  }

  return watchFolder(dir, look, { ...defaultFolderWatch, clock }, signal);
}

type Told = Pick<ApplyPoliciesResponse, 'problems' | 'warnings'>;
type Reading = Result<readonly PolicyFile[], PolicyProblem>;

async function readFolder(dir: string): Promise<Reading> {
  const names = await readdir(dir).catch((error: unknown) => error as NodeJS.ErrnoException);
  if (names instanceof Error) return unreadable(dir, `cannot be read: ${names.code ?? 'unknown error'}`);
  const files: PolicyFile[] = [];
  for (const file of names.filter((name) => name.endsWith('.yaml')).toSorted()) {
    const name = join(dir, file);
    const read = await readBoundedFile(name, maxPoliciesLength);
    if (!read.ok) return unreadable(name, read.reason);
    files.push({ name, text: Buffer.from(read.value, 'latin1').toString('utf8') });
  }
  return ok(files);
}

const unreadable = (file: string, problem: string): Reading => refuse({ file, line: 1, column: 1, path: '', problem });

function digestOf(reading: Reading): string {
  return createHash('sha256').update(JSON.stringify(reading)).digest('hex');
}
