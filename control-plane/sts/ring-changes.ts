import type { KeyRing } from '#tokens/key-ring.ts';

export interface RingChange {
  readonly kid: string;
  readonly change: 'published' | 'signs' | 'retired' | 'dropped' | 'revoked';
}

/** What a move did, for the log: one word for each key that has another place than before. */
export function changesBetween(before: KeyRing, after: KeyRing, revoked: string | undefined): readonly RingChange[] {
  const places = placesOf(after);
  const known = placesOf(before);
  const changes: RingChange[] = [];
  for (const [kid, place] of places) {
    if (known.get(kid) === place) continue;
    if (!known.has(kid)) changes.push({ kid, change: 'published' });
    if (place === 'current') changes.push({ kid, change: 'signs' });
    if (place === 'previous') changes.push({ kid, change: 'retired' });
  }
  for (const kid of known.keys()) {
    if (!places.has(kid)) changes.push({ kid, change: kid === revoked ? 'revoked' : 'dropped' });
  }
  return changes;
}

export type RingPlace = 'next' | 'current' | 'previous';

export function placesOf({ next, current, previous }: KeyRing): ReadonlyMap<string, RingPlace> {
  const places = new Map<string, RingPlace>();
  if (next) places.set(next.kid, 'next');
  if (current) places.set(current.kid, 'current');
  for (const { kid } of previous) places.set(kid, 'previous');
  return places;
}
