import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { DenyEntry, DenyList } from './model.ts';

/** What a caller proved: who it is, by which certificate and key. */
export interface CallerProof {
  readonly spiffeId: SpiffeId;
  /** In hexadecimal digits, as certificates hold it. */
  readonly serial: string;
  readonly keyThumbprint: string;
}

/** Entries by what they name. */
export type DenialIndex = ReadonlyMap<string, readonly DenyEntry[]>;

export function indexDenials(lists: readonly DenyList[]): DenialIndex {
  return Map.groupBy(
    lists.flatMap(({ entries }) => entries),
    keyOf,
  );
}

/** The entry in force that shuts a caller out, and until when. */
export function findDenial(denials: DenialIndex, proof: CallerProof, nowMs: number): DenyEntry | undefined {
  if (denials.size === 0) return undefined;
  const { spiffeId, serial, keyThumbprint } = proof;
  for (const key of [keyOf({ spiffeId }), keyOf({ serial }), keyOf({ keyThumbprint })]) {
    const entry = denials.get(key)?.find(({ expiresAtMs }) => expiresAtMs === undefined || nowMs < expiresAtMs);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function keyOf(
  target: Pick<CallerProof, 'spiffeId'> | Pick<CallerProof, 'serial'> | Pick<CallerProof, 'keyThumbprint'>,
): string {
  if ('spiffeId' in target) return target.spiffeId;
  if ('serial' in target) return `serial ${target.serial.replace(/^0+(?=.)/, '')}`; // some write numbers with zeros in front
  return `key ${target.keyThumbprint}`;
}
