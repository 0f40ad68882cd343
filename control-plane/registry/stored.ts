import { actorOf } from '#control-plane/operators/roles.ts';
import type { StoredRegistration } from '#control-plane/store/registrations.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { readRegistryJson } from './documents.ts';
import type { Registration, WrittenDocument } from './model.ts';

export function toStored(registration: Registration): StoredRegistration {
  const { inForce, proposal, ...same } = registration;
  if (proposal === undefined) return { ...same, json: inForce?.json ?? '', proposal: undefined };
  const { json, by, atMs, secretOverlapMs } = proposal;
  return { ...same, json: inForce?.json ?? '', proposal: { json, by: actorOf(by), atMs, secretOverlapMs } };
}

/** Refuses what this program cannot read: it may do nothing then, and nobody else gets its name. */
export function fromStored(stored: StoredRegistration): Result<Registration, string> {
  const { json, proposal, ...same } = stored;
  const inForce = json === '' ? ok(undefined) : written(json);
  const waiting = proposal === undefined ? ok(undefined) : written(proposal.json);
  if (!inForce.ok) return inForce;
  if (!waiting.ok) return waiting;
  if (proposal === undefined || waiting.value === undefined) {
    return ok({ ...same, inForce: inForce.value, proposal: undefined });
  }
  return ok({ ...same, inForce: inForce.value, proposal: { ...proposal, ...waiting.value } });
}

function written(json: string): Result<WrittenDocument, string> {
  const read = readRegistryJson(json);
  return read.ok ? ok({ document: read.value, json }) : refuse(read.reason);
}
