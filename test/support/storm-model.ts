import type { Call, PolicyDocument, WorkloadFacts } from '#policy/model.ts';
import { naiveDecide } from './naive-policy.ts';
import type { StormChange } from './storm-changes.ts';

/** A change that became a revision, and when the operator sent it and had its answer (`performance.now()`). */
export interface AppliedChange {
  readonly revision: number;
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly change: StormChange;
}

/** One kind of call, to one workload. */
export interface StormCall {
  readonly call: Call;
  readonly workload: WorkloadFacts;
}

/** What a caller was told of one such call. */
export interface Told {
  /** Which of the calls. */
  readonly call: number;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly isAllowed: boolean;
}

/** Of an opaque stream, from its first echo to its end; `isCut`: not by its caller. */
export interface StreamLife {
  readonly call: number;
  readonly openedMs: number;
  readonly endedMs: number;
  readonly isCut: boolean;
}

/** A change may become an earlier revision than one that was sent so long before it. */
const overtakesMs = 500;

/** All revisions of a storm, and what each says of each call, by the model alone. */
export interface StormModel {
  readonly lastRevision: number;
  /** By the last revision. */
  isAllowedAtLast(call: number): boolean;
  /** Whether some revision that was current between `fromMs` and `toMs` allows it, and whether some refuses it. */
  verdictsIn(call: number, fromMs: number, toMs: number): { readonly allow: boolean; readonly refuse: boolean };
  /** The times in which revisions that refuse it followed each other without one that allows it, surely. */
  refusedTimes(call: number): readonly (readonly [fromMs: number, toMs: number])[];
}

/** `applied`: every revision since an empty mesh, in any order; without gaps. */
export function createStormModel(applied: readonly AppliedChange[], calls: readonly StormCall[]): StormModel {
  const changes = applied.toSorted((a, b) => a.revision - b.revision);
  const gap = changes.findIndex(({ revision }, index) => revision !== index + 1);
  if (gap >= 0) throw new Error(`revision ${gap + 1} is not there`);
  const verdicts = verdictsOf(changes, calls);
  const lastIndex = changes.length - 1;
  // A revision may be in force from when it was sent, and the one before it until the answer was there.
  const fromMs = (index: number): number => changes[index]?.sentMs ?? Infinity;
  const untilMs = (index: number): number => changes[index + 1]?.answeredMs ?? Infinity;
  return {
    lastRevision: changes.length,
    isAllowedAtLast: (call) => verdicts[call]![lastIndex]!,
    verdictsIn(call, from, to) {
      const found = { allow: false, refuse: false };
      for (let index = firstEnding(from); index <= lastIndex && fromMs(index) <= to + overtakesMs; index += 1) {
        if (untilMs(index) < from || fromMs(index) > to) continue;
        found[verdicts[call]![index]! ? 'allow' : 'refuse'] = true;
      }
      return found;
    },
    refusedTimes(call) {
      const times: [number, number][] = [];
      let since: number | undefined;
      for (const [index, isAllowed] of verdicts[call]!.entries()) {
        if (!isAllowed) since ??= changes[index]!.answeredMs;
        else if (since !== undefined) {
          times.push([since, fromMs(index)]);
          since = undefined;
        }
      }
      return since === undefined ? times : [...times, [since, Infinity]];
    },
  };

  /** An index before which every revision had ended by then. */
  function firstEnding(ms: number): number {
    let [low, high] = [0, lastIndex];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (untilMs(middle) < ms - overtakesMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** By call, then by revision; only what a change could have altered is judged anew. */
function verdictsOf(changes: readonly AppliedChange[], calls: readonly StormCall[]): readonly (readonly boolean[])[] {
  const documents = new Map<string, PolicyDocument>();
  const verdicts: boolean[][] = calls.map(() => []);
  for (const { change } of changes) {
    const ref = change.kind === 'put' ? change.document : change.ref;
    const key = `${ref.kind}/${ref.namespace}/${ref.name}`;
    const before = documents.get(key);
    if (change.kind === 'put') documents.set(key, change.document);
    else documents.delete(key);
    const touched = [before, documents.get(key)];
    const all = [...documents.values()];
    for (const [index, { call, workload }] of calls.entries()) {
      const known = verdicts[index]!.at(-1);
      const isSame = known !== undefined && !touched.some((each) => each && mayConcern(each, workload));
      verdicts[index]!.push(isSame ? known : naiveDecide(all, workload, call).allow);
    }
  }
  return verdicts;
}

function mayConcern(document: PolicyDocument, { namespace, labels }: WorkloadFacts): boolean {
  if (document.namespace !== namespace && document.namespace !== 'istio-system') return false;
  if (document.kind !== 'AuthorizationPolicy') return true;
  return Object.entries(document.selector).every(([name, value]) => labels[name] === value);
}

export interface Judgement {
  /** Answers that no revision of their time gives. */
  readonly wrong: readonly string[];
  /** How many answers there was only one right one for: those that allow, and those that refuse. */
  readonly strictAllowed: number;
  readonly strictRefused: number;
  /** Of each answer, by how long the rules it was given by were out of date at its beginning, at least; ms. */
  readonly staleMs: readonly number[];
}

/** An answer is right if it is that of some revision that was current at most `boundMs` before the call began, or until it ended. */
export function judgeAnswers(model: StormModel, answers: readonly Told[], boundMs: number): Judgement {
  const wrong: string[] = [];
  const staleMs: number[] = [];
  let [strictAllowed, strictRefused] = [0, 0];
  for (const { call, beganMs, endedMs, isAllowed } of answers) {
    const { allow, refuse } = model.verdictsIn(call, beganMs - boundMs, endedMs);
    const isRight = isAllowed ? allow : refuse;
    if (!isRight) {
      const stale = Math.round(staleness(model, { call, beganMs, endedMs, isAllowed }, 60_000));
      wrong.push(
        `call ${call} was ${isAllowed ? 'allowed' : 'refused'} at ${Math.round(beganMs)}: by rules of ${stale} ms ago?`,
      );
    }
    if (allow && !refuse) strictAllowed += 1;
    if (refuse && !allow) strictRefused += 1;
    staleMs.push(isRight ? staleness(model, { call, beganMs, endedMs, isAllowed }, boundMs) : Infinity);
  }
  return { wrong, strictAllowed, strictRefused, staleMs };
}

/** To the millisecond. */
function staleness(model: StormModel, { call, beganMs, endedMs, isAllowed }: Told, boundMs: number): number {
  const isIn = (ms: number): boolean => model.verdictsIn(call, beganMs - ms, endedMs)[isAllowed ? 'allow' : 'refuse'];
  if (isIn(0)) return 0;
  let [low, high] = [0, boundMs];
  while (high - low > 1) {
    const middle = (low + high) / 2;
    if (isIn(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** A stream is cut only by rules that refuse it, and does not outlive such rules by more than the bound. */
export function judgeLives(model: StormModel, lives: readonly StreamLife[], boundMs: number): readonly string[] {
  return lives.flatMap(({ call, openedMs, endedMs, isCut }) => {
    const { refuse } = model.verdictsIn(call, endedMs - boundMs, endedMs);
    if (isCut && !refuse) return [`a stream of call ${call} was cut at ${Math.round(endedMs)}`];
    const outlived = model
      .refusedTimes(call)
      .find(([from, to]) => Math.min(to, endedMs) - Math.max(from, openedMs) > boundMs);
    return outlived === undefined ? [] : [`a stream of call ${call} went on after ${Math.round(outlived[0])}`];
  });
}
