import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import { createPolicyFeed, type PolicyFeed } from '#control-plane/discovery/policy-feed.ts';
import { createPolicyKeeper, type PolicyKeeper } from '#control-plane/policies/keeper.ts';
import { createPortBook, type PortBook } from '#control-plane/discovery/port-book.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import type { Store } from '#control-plane/store/store.ts';
import { systemClock } from '#runtime/system-clock.ts';

export interface PolicyStage {
  readonly store: Store;
  readonly keeper: PolicyKeeper;
  readonly feed: PolicyFeed;
  readonly ports: PortBook;
  readonly events: readonly ControlPlaneEvent[];
  readonly emit: (event: ControlPlaneEvent) => void;
  /** Applies texts as files `0.yaml`, `1.yaml`, …; throws what was refused. */
  apply(...texts: readonly string[]): Promise<void>;
}

/** Keeper and feed over a store of their own, as a control plane has them; `folder`: documents also come from there. */
export function openPolicyStage(folder?: string): PolicyStage {
  const dir = mkdtempSync(join(tmpdir(), 'eastwest-policies-'));
  const store = openStore(join(dir, 'store.sqlite'));
  onTestFinished(() => {
    store.close();
    rmSync(dir, { recursive: true });
  });
  const events: ControlPlaneEvent[] = [];
  const emit = (event: ControlPlaneEvent): void => void events.push(event);
  const feed = createPolicyFeed(store.policies(), store.policyRevision());
  const ports = createPortBook({ store, clock: systemClock, emit });
  const keeper = createPolicyKeeper({
    ...{ store, folder, declared: ports, trustDomain: 'shop.example', clock: systemClock, emit },
    onNews: (news) => feed.take(news),
  });
  return {
    store,
    keeper,
    feed,
    ports,
    events,
    emit,
    async apply(...texts) {
      const { problems } = await keeper.apply(texts.map((text, index) => ({ name: `${index}.yaml`, text })));
      if (problems.length > 0) throw new Error(JSON.stringify(problems));
    },
  };
}
