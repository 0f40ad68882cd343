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
/** After so many readings of a folder that never rests, about a second, those of its files that do count without the others. */
const patientReadings = 20;
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
  /** The last good set; undefined: this process has seen none yet. */
  let good: readonly PolicyFile[] | undefined;

  async function look(): Promise<void> {
    const first = await readFolder(dir);
    const isOld = judged.isRefused && judged.basis !== keeper.basis(); // what was in its way may be gone
    if (digestOf(first) === judged.digest && !isOld) return;
    const reading = await readSettled(first);
    const used = reading.ok ? await use(reading.value) : { problems: [reading.reason], warnings: [] };
    if (used === undefined) return;
    judged = { digest: digestOf(reading), basis: keeper.basis(), isRefused: used.problems.length > 0 };
    if (reading.ok && used.problems.length === 0) good = reading.value;
    tell(used);
  }

  async function readSettled(first: Reading): Promise<Reading> {
    let before = first;
    for (let readings = 1; ; readings += 1) {
      await clock.sleep(secondReadingMs, signal);
      const reading = await readFolder(dir);
      if (digestOf(reading) === digestOf(before)) return withoutEmpty(reading);
      const isRestless = readings >= patientReadings && good !== undefined;
      if (isRestless && before.ok && reading.ok) return ok(restingFiles(before.value, reading.value, good ?? []));
      before = reading;
    }
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

/** A file is empty for a moment before it is written anew: its documents must not go for that. */
function withoutEmpty(reading: Reading): Reading {
  const empty = reading.ok ? reading.value.find(({ text }) => text === '') : undefined;
  return empty === undefined ? reading : unreadable(empty.name, 'is empty: write documents into it, or remove it');
}

/** Files that are the same in both readings and not empty; of the others what was good before. */
function restingFiles(
  before: readonly PolicyFile[],
  now: readonly PolicyFile[],
  good: readonly PolicyFile[],
): readonly PolicyFile[] {
  const textIn = (files: readonly PolicyFile[]): ReadonlyMap<string, string> =>
    new Map(files.map(({ name, text }) => [name, text]));
  const [earlier, later, kept] = [textIn(before), textIn(now), textIn(good)];
  const names = [...new Set([...later.keys(), ...earlier.keys()])].toSorted();
  return names.flatMap((name) => {
    const isResting = earlier.get(name) === later.get(name) && later.get(name) !== '';
    const text = isResting ? later.get(name) : kept.get(name);
    return text === undefined ? [] : [{ name, text }];
  });
}

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
