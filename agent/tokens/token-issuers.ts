import type { IssuerKeysConfig, TokenIssuerConfig } from '#agent/config-types.ts';
import type { AgentEmit } from '#agent/events.ts';
import type { TokenIssuer } from '#proto/token-messages.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { aborted } from '#runtime/drain.ts';
import { defaultLifetimeSeconds } from '#tokens/times.ts';
import { FetchedKeys } from './fetched-keys.ts';
import { fetchDocument } from './fetch-document.ts';
import { followFile } from './file-keys.ts';
import { IssuerBook } from './issuer-book.ts';
import type { IssuerRules, TrustedKeys } from './issuer-keys.ts';

export interface TokenIssuersParts {
  /** Undefined: those whose keys the control plane pushes, for workloads of our trust domain. */
  readonly issuers: readonly TokenIssuerConfig[] | undefined;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: AgentEmit;
  /** After every change, and every answer to `wanted`. */
  readonly onKeys: (keys: TrustedKeys) => void;
}

/** However many tokens with unknown keys come, keys are fetched this often at most (S78). */
const freshMs = 10_000;
const maxBackoffMs = 300_000;

interface Entry {
  readonly book: IssuerBook;
  readonly source: IssuerKeysConfig['kind'];
  readonly fetched: FetchedKeys | undefined;
  readonly run: ((signal: AbortSignal) => Promise<never>) | undefined;
}

/** Where the keys of trusted issuers come in: pushed, from files, fetched. Whoever verifies gets full states from here. */
export class TokenIssuers {
  readonly #parts: TokenIssuersParts;
  /** By `iss`. */
  readonly #entries = new Map<string, Entry>();

  constructor(parts: TokenIssuersParts) {
    this.#parts = parts;
    for (const { keys, ...rules } of parts.issuers ?? []) this.#add(rules, keys);
  }

  /** Takes what the control plane says, which is all there is; returns why something was not taken, `''` when all was. */
  takePushed(pushed: readonly TokenIssuer[]): string {
    const { issuers } = this.#parts;
    if (issuers === undefined) for (const { issuer } of pushed) this.#addPushed(issuer);
    let problem = '';
    for (const [issuer, { book, source }] of this.#entries) {
      if (source !== 'pushed') continue;
      const found = pushed.find((each) => each.issuer === issuer);
      if (found === undefined) {
        book.drop('the control plane has withdrawn it');
        continue;
      }
      const taken = book.takePushed(found.jwks, found.version);
      if (!taken.ok && problem === '') problem = taken.reason;
    }
    return problem;
  }

  /** Somebody shows a token of this issuer with a key that nobody knows. */
  wanted(issuer: string): void {
    this.#entries.get(issuer)?.fetched?.wanted();
  }

  /** Runs until the signal aborts, then throws its reason. */
  async run(signal: AbortSignal): Promise<never> {
    const runs = [...this.#entries.values()].flatMap(({ run }) => run?.(signal) ?? []);
    await Promise.all([...runs, aborted(signal)]);
    throw signal.reason;
  }

  #addPushed(issuer: string): void {
    if (this.#entries.has(issuer)) return;
    const subjects = { trustDomains: [this.#parts.trustDomain], ownNames: 'refuse' } as const;
    const how = { typ: 'at+jwt', claimMap: {}, maxLifetimeSeconds: defaultLifetimeSeconds } as const;
    this.#add({ name: issuer, issuer, algorithms: ['ES256'], subjects, ...how }, { kind: 'pushed' });
  }

  #add(rules: IssuerRules, keys: IssuerKeysConfig): void {
    const { emit, clock } = this.#parts;
    const book = new IssuerBook({ rules, emit, onChange: () => this.#tell() });
    const fetched = keys.kind === 'url' ? this.#fetching(book, keys) : undefined;
    const run =
      keys.kind === 'file'
        ? (signal: AbortSignal) => followFile(book, keys.path, clock, signal)
        : fetched?.run.bind(fetched);
    this.#entries.set(rules.issuer, { book, source: keys.kind, fetched, run });
  }

  #fetching(book: IssuerBook, keys: IssuerKeysConfig & { readonly kind: 'url' }): FetchedKeys {
    const { clock } = this.#parts;
    return new FetchedKeys({
      ...this.#parts,
      book,
      times: { freshMs, refreshMs: keys.refreshMs, staleMs: keys.keepMs, maxBackoffMs },
      fetch: (signal) => fetchDocument(keys, { clock, signal }),
      onAnswer: () => this.#tell(),
    });
  }

  #tell(): void {
    this.#parts.onKeys([...this.#entries.values()].map(({ book, fetched }) => book.state(fetched?.answers())));
  }
}
