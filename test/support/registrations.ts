import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openAdministration, type Administration } from '#control-plane/api/administration.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { RegistryAction, ResponseOf } from '#proto/registry-messages.ts';
import type { Result } from '#runtime/result.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A service as one writes it (JSON is YAML); `spec` and `metadata` in place of what it says otherwise. */
export function serviceText(name = 'payments', spec: Fields = {}, metadata: Fields = { tenant: 'shop' }): string {
  const written = { scopes: ['payments.read', 'payments.write'], approval: 'none', ...spec };
  return documentText('Service', { name, ...metadata }, written);
}

/** A client outside the mesh with a secret, of the tenant `shop`, for `payments`. */
export function clientText(name = 'billing', spec: Fields = {}, metadata: Fields = { tenant: 'shop' }): string {
  const access = [{ audience: 'payments', scopes: ['payments.read'] }];
  const written = {
    authentication: 'client-secret',
    grants: ['client_credentials'],
    access,
    approval: 'none',
    ...spec,
  };
  return documentText('Client', { name, ...metadata }, written);
}

function documentText(kind: string, metadata: Fields, spec: Fields): string {
  return JSON.stringify({ apiVersion: 'eastwest.dev/v1', kind, metadata, spec });
}

export interface RegistryStage {
  readonly administration: Administration;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly events: readonly ControlPlaneEvent[];
  readonly faults: readonly unknown[];
  /** Of an operator that is made at the first call; `owner`: none, the owner of the socket. */
  credential(name: string): string;
  addOperator(name: string, ...roles: readonly string[]): Promise<string>;
  /** By the owner, unless `by` says otherwise; one file for all. */
  register(texts: readonly string[], by?: string): Promise<ResponseOf<'register'>>;
  /** Of the registration `Client/billing`, with its revision of now. */
  change(key: string, action: RegistryAction, by?: string): Promise<ResponseOf<'change'>>;
  find(key: string): Promise<ResponseOf<'list'>['registrations'][number]>;
  /** What the audit log says, oldest first. */
  audit(): readonly Fields[];
  /** Opens everything anew on the same store. */
  restart(): void;
}

export const startMs = 1_800_000_000_000;

/** What a control plane has of the registry, over a store of its own and a clock that is moved by hand. */
export function openRegistryStage(): RegistryStage {
  const dir = mkdtempSync(join(tmpdir(), 'eastwest-registry-'));
  const store = openStore(join(dir, 'store.sqlite'));
  onTestFinished(() => {
    store.close();
    rmSync(dir, { recursive: true });
  });
  const clock = createFakeClock(startMs);
  const events: ControlPlaneEvent[] = [];
  const faults: unknown[] = [];
  const credentials = new Map([['owner', '']]);
  const open = () =>
    openAdministration({
      store,
      clock,
      svidLifeMs: 3_600_000,
      signingKeys: () => undefined,
      emit: (event) => void events.push(event),
      onFault: (error) => void faults.push(error),
    });
  let administration = open();
  const credential = (name: string): string => {
    const known = credentials.get(name);
    if (known === undefined) throw new Error(`nobody is called ${name}`);
    return known;
  };
  const find: RegistryStage['find'] = async (key) => {
    const name = key.slice(key.indexOf('/') + 1);
    // Whoever is there may list.
    const by = [...credentials.values()].at(-1) ?? '';
    const { registrations } = unwrap(await administration.handlers.list({ credential: by, name }));
    const found = registrations.find((each) => `${each.kind}/${each.name}` === key);
    if (found === undefined) throw new Error(`there is no ${key}`);
    return found;
  };
  return {
    get administration() {
      return administration;
    },
    store,
    clock,
    events,
    faults,
    credential,
    async addOperator(name, ...roles) {
      const added = unwrap(await administration.handlers.addOperator({ credential: credential('owner'), name, roles }));
      if (added.problem !== '') throw new Error(added.problem);
      credentials.set(name, added.madeCredential);
      return added.madeCredential;
    },
    async register(texts, by = 'owner') {
      const files = [{ name: 'a.yaml', text: texts.join('\n---\n') }];
      return unwrap(await administration.handlers.register({ credential: credential(by), files }));
    },
    async change(key, action, by = 'owner') {
      const { id, revision } = await find(key);
      return unwrap(await administration.handlers.change({ credential: credential(by), id, revision, action }));
    },
    find,
    audit: () => [...store.auditRows()].map(({ body }) => JSON.parse(body) as Fields),
    restart: () => void (administration = open()),
  };
}

/** The answer; throws what was refused. */
export function unwrap<T>(reply: Result<T, Refusal>): T {
  if (reply.ok) return reply.value;
  throw new Error(reply.reason.reason);
}
