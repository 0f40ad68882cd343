import { actorOf, isSame, may, type Operator } from '#control-plane/operators/roles.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Client, Registration, RegistryDocument, WrittenDocument } from './model.ts';
import { makeClientSecret, useNewest } from './secrets.ts';
import { isSameJson, wideningOf } from './widening.ts';

/** What became of a registration, as the audit log has it. */
export type RegistryChange =
  | 'registered'
  | 'changed'
  | 'proposed'
  | 'withdrawn'
  | 'approved'
  | 'rejected'
  | 'disabled'
  | 'enabled'
  | 'deleted'
  | 'secret-rotated'
  | 'secret-proposed';

export interface Step {
  readonly next: Registration;
  readonly change: RegistryChange;
  /** A secret that was made, to be shown once; empty: none. */
  readonly secret: string;
  /** Why it has to be approved: what it widens. */
  readonly widening: readonly string[];
}

export type StepProblem =
  | 'tenant-is-fixed'
  | 'approval-not-waivable'
  | 'nothing-to-approve'
  | 'same-operator'
  | 'not-approved-yet'
  | 'already-disabled'
  | 'not-disabled'
  | 'no-client-secret'
  | 'proposal-waits';

export interface StepParts {
  readonly by: Operator;
  readonly nowMs: number;
}

type Stepped = Result<Step, StepProblem>;

const stepTo = (next: Registration, change: RegistryChange, more: Partial<Step> = {}): Stepped =>
  ok({ next, change, secret: '', widening: [], ...more });

/** A name that is new. */
export function registerNew(id: string, written: WrittenDocument, parts: StepParts): Stepped {
  const { by, nowMs } = parts;
  const { kind, name } = written.document;
  const blank: Registration = {
    id,
    kind,
    name,
    revision: 1,
    isDisabled: false,
    inForce: undefined,
    proposal: undefined,
    registeredBy: actorOf(by),
    approvedBy: undefined,
    changedAtMs: nowMs,
    secrets: [],
  };
  const isHeld = written.document.approval === 'admin';
  if (!isHeld && !may(by, 'waive-approval')) return refuse('approval-not-waivable');
  return isHeld
    ? propose(blank, written, parts, ['a new registration'])
    : putIntoForce(blank, written, parts, 'registered');
}

/** Another document for a name that has one. Undefined: it says what is in force, and nothing waits. */
export function registerAgain(known: Registration, written: WrittenDocument, parts: StepParts): Stepped | undefined {
  const { inForce, proposal } = known;
  const before = (inForce ?? proposal)?.document;
  if (before !== undefined && before.tenant !== written.document.tenant) return refuse('tenant-is-fixed');
  if (inForce !== undefined && isSameJson(inForce.json, written.json)) {
    return proposal === undefined ? undefined : withdraw(known, parts, 'withdrawn');
  }
  if (proposal !== undefined && isSame(proposal.by, parts.by) && isSameJson(proposal.json, written.json))
    return undefined;
  const widening = inForce === undefined ? ['a new registration'] : wideningOf(inForce.document, written.document);
  if (widening.length === 0) return putIntoForce(known, written, parts, 'changed');
  const isHeld = [before, proposal?.document, written.document].some((each) => each?.approval === 'admin');
  if (isHeld) return propose(known, written, parts, widening);
  if (!may(parts.by, 'waive-approval')) return refuse('approval-not-waivable');
  return putIntoForce(known, written, parts, inForce === undefined ? 'registered' : 'changed');
}

/** By somebody else than whoever proposed it. */
export function approve(known: Registration, { by, nowMs }: StepParts): Stepped {
  const { proposal } = known;
  if (proposal === undefined) return refuse('nothing-to-approve');
  if (isSame(proposal.by, by)) return refuse('same-operator');
  const { document, json, secretOverlapMs } = proposal;
  const isNewSecret = known.secrets.at(-1)?.isUsable === false;
  const kept = isNewSecret ? useNewest(known.secrets, { nowMs, overlapMs: secretOverlapMs }) : known.secrets;
  const secrets = needsSecret(document) ? kept : [];
  const inForce = { document, json };
  return stepTo(changed(known, { inForce, proposal: undefined, approvedBy: actorOf(by), secrets }, nowMs), 'approved');
}

/** What was never approved is for the caller to remove. */
export function reject(known: Registration, parts: StepParts): Stepped {
  return known.proposal === undefined ? refuse('nothing-to-approve') : withdraw(known, parts, 'rejected');
}

export function disable(known: Registration, { nowMs }: StepParts): Stepped {
  if (known.inForce === undefined) return refuse('not-approved-yet');
  if (known.isDisabled) return refuse('already-disabled');
  return stepTo(changed(known, { isDisabled: true }, nowMs), 'disabled');
}

export function enable(known: Registration, { nowMs }: StepParts): Stepped {
  if (known.inForce === undefined) return refuse('not-approved-yet');
  if (!known.isDisabled) return refuse('not-disabled');
  return stepTo(changed(known, { isDisabled: false }, nowMs), 'enabled');
}

/** A new secret counts at once, or where two people are needed once it is approved: it is as good as a new client. */
export function rotateSecret(known: Registration, parts: StepParts, overlapMs: number): Stepped {
  const { inForce, proposal, secrets } = known;
  const { by, nowMs } = parts;
  if (proposal !== undefined) return refuse('proposal-waits');
  if (inForce === undefined || !needsSecret(inForce.document)) return refuse('no-client-secret');
  if (inForce.document.approval === 'admin') {
    const { text, secret } = makeClientSecret(actorOf(by), nowMs, 'once-approved');
    const waiting = { ...inForce, by: actorOf(by), atMs: nowMs, secretOverlapMs: overlapMs };
    const next = changed(known, { proposal: waiting, secrets: [...secrets, secret] }, nowMs);
    return stepTo(next, 'secret-proposed', { secret: text, widening: ['a new secret'] });
  }
  const { text, secret } = makeClientSecret(actorOf(by), nowMs, 'now');
  const next = changed(known, { secrets: useNewest([...secrets, secret], { nowMs, overlapMs }) }, nowMs);
  return stepTo(next, 'secret-rotated', { secret: text });
}

function propose(
  known: Registration,
  written: WrittenDocument,
  { by, nowMs }: StepParts,
  widening: readonly string[],
): Stepped {
  const proposal = { ...written, by: actorOf(by), atMs: nowMs, secretOverlapMs: 0 };
  const kept = usableOf(known);
  const isMissing = needsSecret(written.document) && kept.length === 0;
  const own = known.secrets.find((secret) => !secret.isUsable && isSame(secret.madeBy, by));
  if (isMissing && own === undefined) {
    const { text, secret } = makeClientSecret(actorOf(by), nowMs, 'once-approved');
    return stepTo(changed(known, { proposal, secrets: [secret] }, nowMs), 'proposed', { secret: text, widening });
  }
  const secrets = isMissing && own !== undefined ? [own] : kept;
  return stepTo(changed(known, { proposal, secrets }, nowMs), 'proposed', { widening });
}

/** Whatever waited is replaced by it. */
function putIntoForce(
  known: Registration,
  written: WrittenDocument,
  { by, nowMs }: StepParts,
  change: RegistryChange,
): Stepped {
  const kept = needsSecret(written.document) ? usableOf(known) : [];
  const made =
    needsSecret(written.document) && kept.length === 0 ? makeClientSecret(actorOf(by), nowMs, 'now') : undefined;
  const secrets = made === undefined ? kept : [made.secret];
  const next = changed(known, { inForce: written, proposal: undefined, approvedBy: actorOf(by), secrets }, nowMs);
  return stepTo(next, change, { secret: made?.text ?? '' });
}

function withdraw(known: Registration, { nowMs }: StepParts, change: RegistryChange): Stepped {
  return stepTo(changed(known, { proposal: undefined, secrets: usableOf(known) }, nowMs), change);
}

function usableOf({ secrets }: Registration): Registration['secrets'] {
  return secrets.filter(({ isUsable }) => isUsable);
}

function needsSecret(document: RegistryDocument): document is Client {
  return document.kind === 'Client' && document.authentication.kind === 'client-secret';
}

function changed(known: Registration, differing: Partial<Registration>, nowMs: number): Registration {
  const isNew = known.inForce === undefined && known.proposal === undefined;
  return { ...known, ...differing, revision: isNew ? 1 : known.revision + 1, changedAtMs: nowMs };
}
