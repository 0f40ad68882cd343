import type { PoliciesPart } from '#proto/messages.ts';
import type { Clock } from '#runtime/clock.ts';
import type { PolicyFeed } from './policy-feed.ts';

/** After a refusal, so long until the next revision is sent: whoever refuses everything is not kept busy. */
const afterRefusalMs = 250;
/**
 * After each revision an agent has so many times what that took it, for its traffic: the thread that reads policies may be
 * the one that carries it. At most so long, as a change is to be in force within a second.
 */
const restTimes = 4;
const longestRestMs = 500;

/** How far an agent is. */
export interface PolicyState {
  readonly isCurrent: boolean;
  /** The newest it has said to have applied; 0 before the first. */
  readonly revision: number;
  /** Since when it lacks something, on the wall clock. */
  readonly behindSinceMs: number;
  /** Why it refused what was sent last; empty: it did not. */
  readonly problem: string;
}

/**
 * What one agent is told of policies: one revision at a time. Until it has answered nothing more is sent, and then what
 * is newest: an agent that is slow costs no memory.
 */
export interface PolicyPush {
  /** To be sent now, each as the version that `versionOf` says when it is taken. */
  due(versionOf: () => number): Generator<PoliciesPart>;
  acknowledge(version: number, problem: string): void;
  state(): PolicyState;
}

export interface PolicyPushParts {
  readonly feed: Pick<PolicyFeed, 'revision' | 'since'>;
  readonly namespace: string;
  readonly clock: Pick<Clock, 'now' | 'timer'>;
  /** Something may be due now. */
  onDue(): void;
}

/** A revision on its way. */
interface Flight {
  readonly revision: number;
  readonly sentMs: number;
  /** Versions of its parts, as far as they were taken. */
  readonly first: number;
  last: number;
  /** The last part has been taken. */
  isSent: boolean;
  /** The first that was told of any part. */
  problem: string;
}

export function createPolicyPush({ feed, namespace, clock, onDue }: PolicyPushParts): PolicyPush {
  /** What the stream said last; undefined before the first, and when nobody knows what has arrived. */
  let sent: number | undefined;
  /** Up to here nothing further concerns this agent. */
  let looked: number | undefined;
  let inFlight: Flight | undefined;
  let applied = 0;
  let refusal = '';
  let isResting = false;
  let isDeaf = false; // a program that knows no policies
  let behindSinceMs: number | undefined = clock.now();

  function look(): ReturnType<PolicyFeed['since']> {
    const delta = feed.since(looked, namespace);
    if (delta !== undefined) behindSinceMs ??= clock.now();
    else {
      looked = feed.revision();
      if (refusal === '' && inFlight === undefined && sent !== undefined) applied = looked;
    }
    return delta;
  }

  function answered(): void {
    if (inFlight === undefined) return;
    const { revision, problem, sentMs } = inFlight;
    inFlight = undefined;
    refusal = problem;
    if (problem === '') {
      applied = revision;
      behindSinceMs = undefined;
      return rest(Math.min(longestRestMs, Math.max(0, clock.now() - sentMs) * restTimes));
    }
    sent = undefined; // it may have got half of it: the next one is the whole set
    isDeaf = problem === 'unknown-kind';
    rest(afterRefusalMs);
  }

  function rest(ms: number): void {
    if (ms === 0) return onDue();
    isResting = true;
    clock.timer(ms, () => {
      isResting = false;
      onDue();
    });
  }

  return {
    *due(versionOf) {
      if (inFlight !== undefined || isDeaf || isResting) return;
      const delta = look();
      if (delta === undefined) return;
      const revision = feed.revision();
      const whole = sent === undefined ? feed.since(undefined, namespace) : delta;
      const { parts, isWhole } = whole ?? delta;
      const sinceRevision = isWhole ? 0 : (sent ?? 0);
      sent = revision;
      looked = revision;
      const flight: Flight = { revision, sentMs: clock.now(), first: versionOf(), last: 0, isSent: false, problem: '' };
      inFlight = flight;
      for (const [index, part] of parts.entries()) {
        flight.last = versionOf();
        flight.isSent = index === parts.length - 1;
        yield { revision, sinceRevision, part: index + 1, parts: parts.length, ...part };
      }
    },
    acknowledge(version, problem) {
      if (inFlight === undefined) return;
      const isOurs = version >= inFlight.first && version <= inFlight.last;
      const isUnreadable = version === 0 && problem !== ''; // not even which one it was
      if (!isOurs && !isUnreadable) return;
      if (inFlight.problem === '') inFlight.problem = problem;
      if (isUnreadable || (inFlight.isSent && version === inFlight.last)) answered();
    },
    state() {
      const isCurrent = inFlight === undefined && refusal === '' && look() === undefined;
      return { isCurrent, revision: applied, behindSinceMs: behindSinceMs ?? clock.now(), problem: refusal };
    },
  };
}
