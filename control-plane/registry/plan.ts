import { randomBytes } from 'node:crypto';
import { pathText, type FileProblem, type Issue } from '#policy/schema-issues.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { misfitsIn, type Misfit, type Registrations } from './cross-check.ts';
import { registryKey, type Registration, type Tombstone } from './model.ts';
import type { WantedDocument } from './read.ts';
import { registerAgain, registerNew, type Step, type StepParts, type StepProblem } from './transitions.ts';

/** All of them are in memory. */
const maxRegistrations = 20_000;

export interface Known {
  readonly registrations: Registrations;
  /** By `Client/cart`. */
  readonly tombstones: ReadonlyMap<string, Tombstone>;
  readonly unreadable: ReadonlySet<string>;
}

export interface Planned {
  readonly wanted: WantedDocument;
  /** Undefined: nothing changes. */
  readonly step: Step | undefined;
}

/** Compares what is wanted with what is there. Nothing is registered by halves: any problem refuses all of it. */
export function planRegister(
  known: Known,
  wanted: readonly WantedDocument[],
  parts: StepParts,
): Result<readonly Planned[], readonly FileProblem[]> {
  const problems: FileProblem[] = [];
  const planned: Planned[] = [];
  const after = new Map(known.registrations);
  for (const each of wanted) {
    const key = registryKey(each.document);
    const stepped = stepOf(known, each, parts);
    if (!stepped.ok) problems.push(each.problemAt(stepped.reason));
    else planned.push({ wanted: each, step: stepped.value });
    if (stepped.ok && stepped.value !== undefined) after.set(key, stepped.value.next);
  }
  if (problems.length > 0) return refuse(problems);
  const [first] = wanted;
  if (after.size > maxRegistrations && first !== undefined) {
    const text = `there would be ${after.size} registrations; there is room for ${maxRegistrations}: delete some`;
    return refuse([first.problemAt([['metadata', 'name'], text])]);
  }
  const misfits = newMisfits(known.registrations, after).flatMap((misfit) => placed(misfit, wanted));
  return misfits.length > 0 ? refuse(misfits) : ok(planned);
}

/** What does not fit after a change and did before: what was wrong already is nobody's fault now. */
export function newMisfits(before: Registrations, after: Registrations): readonly Misfit[] {
  const textOf = ({ registration, version, issue }: Misfit): string =>
    JSON.stringify([registryKey(registration), version, issue[1]]);
  const old = new Set(misfitsIn(before).map(textOf));
  return misfitsIn(after).filter((misfit) => !old.has(textOf(misfit)));
}

type Stepped = Result<Step | undefined, Issue>;

function stepOf({ registrations, tombstones, unreadable }: Known, wanted: WantedDocument, parts: StepParts): Stepped {
  const key = registryKey(wanted.document);
  const before = registrations.get(key);
  const tombstone = tombstones.get(key);
  if (unreadable.has(key)) {
    return refuse([
      ['metadata', 'name'],
      'is registered in a form that this version cannot read: start the one that wrote it',
    ]);
  }
  if (before === undefined && tombstone !== undefined && tombstone.heldUntilMs > parts.nowMs) {
    return refuse([['metadata', 'name'], heldText(tombstone, parts.nowMs)]);
  }
  const stepped =
    before === undefined
      ? registerNew(randomBytes(8).toString('hex'), wanted, parts)
      : registerAgain(before, wanted, parts);
  if (stepped === undefined) return ok(undefined);
  return stepped.ok ? stepped : refuse(issueOf(stepped.reason, before));
}

function heldText({ heldUntilMs }: Tombstone, nowMs: number): string {
  const minutes = Math.ceil((heldUntilMs - nowMs) / 60_000);
  return `was deleted, and what proves to be the old one may still be good: register it in ${minutes} minutes, or another name`;
}

function issueOf(problem: StepProblem, before: Registration | undefined): Issue {
  if (problem === 'tenant-is-fixed') {
    const tenant = (before?.inForce ?? before?.proposal)?.document.tenant;
    const has = tenant === undefined ? 'is global' : `belongs to the tenant ${tenant}`;
    return [['metadata', 'tenant'], `it ${has}: delete it first, and register it anew when its tokens have ended`];
  }
  if (problem === 'approval-not-waivable') {
    return [
      ['spec', 'approval'],
      'only admin may register without approval: leave it out, so that somebody approves it',
    ];
  }
  return [['metadata', 'name'], problem];
}

/** At the document that causes it, if it is one of these. */
function placed({ registration, issue }: Misfit, wanted: readonly WantedDocument[]): readonly FileProblem[] {
  const key = registryKey(registration);
  const own = wanted.find(({ document }) => registryKey(document) === key);
  if (own !== undefined) return [own.problemAt(issue)];
  const [path, problem] = issue;
  const cause = wanted.find(({ document }) => problem.includes(` ${document.name}`)) ?? wanted[0];
  if (cause === undefined) return [];
  return [cause.problemAt([['metadata', 'name'], `then ${key} does not fit: ${pathText(path)}: ${problem}`])];
}
