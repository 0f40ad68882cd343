import type { Authorize } from '#control-plane/operators/authorize.ts';
import type { RecordRefusal } from '#control-plane/operators/refusals.ts';
import type { Operator } from '#control-plane/operators/roles.ts';
import type { ChangeRefusal, RegistryKeeper } from '#control-plane/registry/keeper.ts';
import { registryKey, stateOf, type ClientSecret, type Registration } from '#control-plane/registry/model.ts';
import type { Planned } from '#control-plane/registry/plan.ts';
import { wideningOf } from '#control-plane/registry/widening.ts';
import type { RegistryHandlers } from '#proto/registry-admin.ts';
import { toAction, type RequestOf, type ResponseOf } from '#proto/registry-messages.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse } from '#runtime/result.ts';
import { changeText } from './registry-texts.ts';

export interface RegistryHandlerParts {
  readonly registrations: RegistryKeeper;
  readonly authorize: Authorize;
  readonly recordRefusal: RecordRefusal;
  readonly clock: Pick<Clock, 'now'>;
}

type Handlers = Pick<RegistryHandlers, 'register' | 'list' | 'change' | 'rotateSecret'>;
type Listed = ResponseOf<'list'>['registrations'][number];

const longestOverlapMs = 30 * 24 * 3_600_000;

/** What operators may ask of who gets tokens. */
export function createRegistryHandlers(parts: RegistryHandlerParts): Handlers {
  const { registrations, authorize, recordRefusal, clock } = parts;

  const subjectOf = (id: string): string => {
    const known = registrations.byId(id);
    return known === undefined ? '' : registryKey(known);
  };
  async function told(refusal: ChangeRefusal, action: string, id: string, by: Operator): Promise<string> {
    await recordRefusal({ action, subject: subjectOf(id), reason: refusal.problem, by });
    return changeText(refusal);
  }

  return {
    register: async ({ credential, files }) => {
      const by = await authorize(credential, 'register', files.map(({ name }) => name).join(' '));
      if (!by.ok) return by;
      const planned = await registrations.register(files, by.value);
      if (planned.ok) return ok({ documents: planned.value.map(toRegistered), problems: [] });
      const [first] = planned.reason;
      const subject = `${first?.file} ${first?.path}`;
      await recordRefusal({ action: 'register', subject, reason: 'documents-refused', by: by.value });
      return ok({ documents: [], problems: planned.reason });
    },
    list: async ({ credential, name }) => {
      const by = await authorize(credential, 'list', name);
      if (!by.ok) return by;
      const all = registrations.all().filter((each) => name === '' || each.name === name);
      const held = registrations.tombstones().filter((each) => name === '' || each.name === name);
      return ok({
        registrations: all.map((each) => toListed(each, name === '' ? 'brief' : 'whole', clock.now())),
        held,
      });
    },
    change: (request) => change(request),
    rotateSecret: async ({ credential, id, revision, overlapMs }) => {
      const by = await authorize(credential, 'rotate-secret', subjectOf(id));
      if (!by.ok) return by;
      if (overlapMs > longestOverlapMs)
        return refuse({ code: 'invalid-argument', reason: 'overlap-is-30-days-at-most' });
      const rotated = await registrations.rotateSecret({ id, revision }, overlapMs, by.value);
      if (!rotated.ok) {
        return ok({ problem: await told(rotated.reason, 'rotate-secret', id, by.value), secret: '', state: '' });
      }
      const state = rotated.value.change === 'secret-proposed' ? 'waiting' : 'usable';
      return ok({ problem: '', secret: rotated.value.secret, state });
    },
  };

  async function change({ credential, id, revision, action: asked }: RequestOf<'change'>) {
    const action = toAction(asked);
    if (action === undefined) return refuse({ code: 'invalid-argument', reason: 'unknown-kind' } as const);
    const by = await authorize(credential, action, subjectOf(id));
    if (!by.ok) return by;
    const unchanged = { revision, state: '', heldUntilMs: 0 };
    const seen = { id, revision };
    if (action === 'delete') {
      const deleted = await registrations.delete(seen, by.value);
      if (!deleted.ok) return ok({ ...unchanged, problem: await told(deleted.reason, action, id, by.value) });
      const heldUntilMs = Math.round(deleted.value.heldUntilMs);
      return ok({ problem: '', revision: revision + 1, state: 'deleted', heldUntilMs });
    }
    const changed = await registrations.change(seen, action, by.value);
    if (!changed.ok) return ok({ ...unchanged, problem: await told(changed.reason, action, id, by.value) });
    const { next } = changed.value;
    const isGone = next.inForce === undefined && next.proposal === undefined;
    return ok({ problem: '', revision: next.revision, state: isGone ? 'deleted' : stateOf(next), heldUntilMs: 0 });
  }
}

function toRegistered({ wanted, step }: Planned): ResponseOf<'register'>['documents'][number] {
  const { kind, name } = wanted.document;
  if (step === undefined) return { kind, name, id: '', outcome: 'unchanged', revision: 0, secret: '', widening: [] };
  const { next, change, secret, widening } = step;
  return { kind, name, id: next.id, outcome: change, revision: next.revision, secret, widening };
}

function toListed(registration: Registration, detail: 'brief' | 'whole', nowMs: number): Listed {
  const { id, kind, name, revision, inForce, proposal, registeredBy, approvedBy, changedAtMs, secrets } = registration;
  const json = (text: string | undefined): string => (detail === 'whole' ? (text ?? '') : '');
  const widening =
    proposal === undefined || inForce === undefined ? [] : wideningOf(inForce.document, proposal.document);
  return {
    id,
    kind,
    name,
    tenant: (inForce ?? proposal)?.document.tenant ?? '',
    state: stateOf(registration),
    revision,
    json: json(inForce?.json),
    proposal: proposal && {
      json: json(proposal.json),
      by: proposal.by.name,
      atMs: Math.round(proposal.atMs),
      widening,
    },
    registeredBy: registeredBy.name,
    approvedBy: approvedBy?.name ?? '',
    changedAtMs: Math.round(changedAtMs),
    secrets: secrets.map((secret) => toListedSecret(secret, nowMs)),
  };
}

function toListedSecret(secret: ClientSecret, nowMs: number): Listed['secrets'][number] {
  const { id, madeAtMs, madeBy, isUsable, endsAtMs = 0 } = secret;
  const hasEnded = endsAtMs > 0 && nowMs >= endsAtMs;
  const state = hasEnded ? 'ended' : isUsable ? 'usable' : 'waiting';
  return { id, madeAtMs: Math.round(madeAtMs), madeBy: madeBy.name, state, endsAtMs: Math.round(endsAtMs) };
}
