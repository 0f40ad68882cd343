import type { Clock, Timer } from '#runtime/clock.ts';
import { readKeySet, type KeySet } from '#tokens/jwks.ts';
import type { TrustedIssuer, TrustedIssuers } from '#tokens/trusted-issuer.ts';
import type { IssuerKeys, TrustedKeys } from './issuer-keys.ts';

export interface KnownKeysParts {
  readonly clock: Clock;
  /** A token of this issuer names a key that is not known: it may be new. Asked once until the answer comes. */
  readonly onWanted: (issuer: string) => void;
}

/** So many requests wait for a key document; more are refused at once (A5). */
const maxWaiting = 64;
/** So long a request waits for it. */
const waitMs = 3_000;

const noKeys = '{"keys":[]}';

/** One issuer whose keys can be fetched. */
interface Fetching {
  answered: number;
  isAsked: boolean;
  /** Monotonic: nothing is asked before. */
  restUntilMs: number;
  readonly waiting: Set<() => void>;
}

/** The keys that tokens are verified by, in the thread that does it. */
export class KnownKeys {
  readonly #parts: KnownKeysParts;
  #state: TrustedKeys = [];
  #issuers: Map<string, TrustedIssuer> = new Map();
  #epoch = 0;
  readonly #fetching = new Map<string, Fetching>();

  constructor(parts: KnownKeysParts) {
    this.#parts = parts;
  }

  get issuers(): TrustedIssuers {
    return this.#issuers;
  }

  /** Another number whenever a key is believed no more: no verdict outlives that (A25, S80). */
  get epoch(): number {
    return this.#epoch;
  }

  /** Takes a full state; tells whether some key is believed no more. */
  use(state: TrustedKeys): 'less' | 'not-less' {
    const before = this.#issuers;
    const next = new Map<string, TrustedIssuer>();
    for (const each of state) {
      next.set(each.rules.issuer, { ...each.rules, keys: this.#keySetOf(each) });
    }
    this.#state = state;
    this.#issuers = next;
    const isLess = [...before.values()].some((issuer) => isLessThan(next.get(issuer.issuer), issuer));
    if (isLess) this.#epoch += 1;
    for (const { rules, fetches } of state) if (fetches !== undefined) this.#answer(rules.issuer, fetches);
    return isLess ? 'less' : 'not-less';
  }

  /**
   * For a token of this issuer with an unknown key: resolves when it is worth another look, at the latest after 3 s.
   * Undefined: it is not worth waiting, for keys were fetched a moment ago, or too many wait.
   */
  awaitKeys(issuer: string): Promise<void> | undefined {
    const fetching = this.#fetching.get(issuer);
    if (fetching === undefined || fetching.waiting.size >= maxWaiting) return undefined;
    const { clock, onWanted } = this.#parts;
    if (!fetching.isAsked && clock.monotonic() < fetching.restUntilMs) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const deadline: Timer = clock.timer(waitMs, () => done());
    const done = (): void => {
      fetching.waiting.delete(done);
      deadline.cancel();
      resolve();
    };
    fetching.waiting.add(done);
    if (!fetching.isAsked) {
      fetching.isAsked = true;
      onWanted(issuer);
    }
    return promise;
  }

  /** Good documents only get here; one that cannot be read all the same has no keys. */
  #keySetOf({ rules: { issuer, algorithms }, document = noKeys }: IssuerKeys): KeySet {
    const known = this.#state.find(({ rules }) => rules.issuer === issuer);
    const earlier = known?.document === document ? this.#issuers.get(issuer)?.keys : undefined;
    if (earlier !== undefined) return earlier;
    const read = readKeySet(Buffer.from(document, 'utf8'), { algorithms, use: 'sig' });
    return read.ok ? read.value : { keys: new Map(), algorithms, passedOver: [], sequence: undefined };
  }

  #answer(issuer: string, { answered, restMs }: NonNullable<IssuerKeys['fetches']>): void {
    const fetching = this.#fetching.get(issuer) ?? {
      ...{ answered: -1, isAsked: false, restUntilMs: 0 },
      waiting: new Set<() => void>(),
    };
    this.#fetching.set(issuer, fetching);
    if (fetching.answered === answered) return;
    fetching.answered = answered;
    fetching.isAsked = false;
    fetching.restUntilMs = this.#parts.clock.monotonic() + restMs;
    for (const done of [...fetching.waiting]) done();
  }
}

function isLessThan(now: TrustedIssuer | undefined, { keys }: TrustedIssuer): boolean {
  for (const [kid, { thumbprint, algorithm }] of keys.keys) {
    const key = now?.keys.keys.get(kid);
    if (key === undefined || key.thumbprint !== thumbprint || key.algorithm !== algorithm) return true;
  }
  return false;
}
