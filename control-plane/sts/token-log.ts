import type { AuditEntry } from '#control-plane/audit/record.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { Store } from '#control-plane/store/store.ts';
import { addressKey } from '#proto/address-key.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';
import type { Granted } from './grant.ts';
import type { TokenReason } from './refusals.ts';

export interface TokenCounts {
  readonly issued: number;
  readonly refused: Readonly<Partial<Record<TokenReason, number>>>;
}

export interface RefusedRequest {
  readonly reason: TokenReason;
  /** What exactly; empty: the reason says it. */
  readonly detail: string;
  /** Registered; empty: nobody that we know. */
  readonly client: string;
  readonly audience: string;
  readonly peer: string;
}

/** What becomes of token requests: counted at once, told to log and audit log in gathered records. */
export interface TokenLog {
  issued(granted: Granted): void;
  refused(request: RefusedRequest): void;
  counts(): TokenCounts;
  /** Writes what was gathered. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Thousands of tokens a second are a record for each client and audience, not for each token. */
const gatherMs = 5_000;
const maxKinds = 10_000;

type Gathered =
  | { readonly kind: 'issued'; readonly granted: Granted; count: number }
  | { readonly kind: 'refused'; readonly request: RefusedRequest; count: number };

/** A control plane that is killed loses the records of the last 5 s; one that is stopped loses none. */
export function createTokenLog({
  store,
  clock,
  emit,
}: {
  store: Pick<Store, 'write'>;
  clock: Clock;
  emit: Emit<ControlPlaneEvent>;
}): TokenLog {
  let gathered = new Map<string, Gathered>();
  let due: Timer | undefined;
  let issuedSoFar = 0;
  const refusedSoFar: Partial<Record<TokenReason, number>> = {};

  function gather(key: string, first: Gathered): void {
    const known = gathered.get(key);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    gathered.set(key, first);
    if (first.kind === 'refused') emit({ event: 'token.refused', ...first.request });
    if (gathered.size >= maxKinds) flushSoon();
    else due ??= clock.timer(gatherMs, flushSoon);
  }

  const flushSoon = (): void => void flush().catch((error: unknown) => emit({ event: 'request.failed', error }));

  async function flush(): Promise<void> {
    due?.cancel();
    due = undefined;
    const all = [...gathered.values()];
    gathered = new Map();
    if (all.length === 0) return;
    for (const each of all) if (each.kind === 'issued') emit({ event: 'tokens.issued', ...briefOf(each) });
    const nowMs = clock.now();
    await store.write((writer) => all.forEach((each) => writer.audit(nowMs, entryOf(each))));
  }

  return {
    issued(granted) {
      issuedSoFar += 1;
      const { clientId, audience, scopes } = granted.content;
      gather(`${clientId} ${audience} ${granted.grant} ${scopes.join(' ')}`, { kind: 'issued', granted, count: 1 });
    },
    refused(request) {
      refusedSoFar[request.reason] = (refusedSoFar[request.reason] ?? 0) + 1;
      const { reason, detail, client, peer } = request;
      gather(`! ${reason} ${detail} ${client} ${addressKey(peer)}`, { kind: 'refused', request, count: 1 });
    },
    counts: () => ({ issued: issuedSoFar, refused: { ...refusedSoFar } }),
    flush,
    close: flush,
  };
}

function briefOf({ granted, count }: Extract<Gathered, { kind: 'issued' }>) {
  const { clientId: client, audience } = granted.content;
  return { client, audience, grant: granted.grant, count };
}

function entryOf(each: Gathered): AuditEntry {
  if (each.kind === 'refused') return { kind: 'token-refused', ...each.request, repeats: each.count };
  return { kind: 'tokens-issued', ...briefOf(each), scopes: each.granted.content.scopes };
}
