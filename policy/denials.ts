import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { CallToken, DenyEntry, DenyList, DenyTarget } from './model.ts';

/** What a caller proved: who it is, by which certificate and key. */
export interface CallerProof {
  readonly spiffeId: SpiffeId;
  /** In hexadecimal digits, as certificates hold it. */
  readonly serial: string;
  readonly keyThumbprint: string;
}

/** Entries by what they name. */
export type DenialIndex = ReadonlyMap<string, readonly DenyEntry[]>;

/** Those about callers, and those about tokens. */
export function indexDenials(lists: readonly DenyList[]): Readonly<Record<'denials' | 'tokenDenials', DenialIndex>> {
  const entries = lists.flatMap((list) => list.entries);
  return {
    denials: Map.groupBy(
      entries.filter((entry) => !isOfToken(entry)),
      keyOf,
    ),
    tokenDenials: Map.groupBy(entries.filter(isOfToken), keyOf),
  };
}

/** The entry in force that shuts a caller out, and until when. */
export function findDenial(denials: DenialIndex, proof: CallerProof, nowMs: number): DenyEntry | undefined {
  if (denials.size === 0) return undefined;
  const { spiffeId, serial, keyThumbprint } = proof;
  for (const key of [keyOf({ spiffeId }), keyOf({ serial }), keyOf({ keyThumbprint })]) {
    const entry = denials.get(key)?.find((each) => isInForce(each, nowMs));
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** The entry in force by which a token is believed no more (S85). */
export function findTokenDenial(denials: DenialIndex, token: CallToken, nowMs: number): DenyEntry | undefined {
  if (denials.size === 0) return undefined;
  const { tokenId: jti, kid, subject: user, clientId, authorizedParty, actors, issuer } = token;
  const clients = [
    clientId,
    ...(authorizedParty === undefined ? [] : [authorizedParty]),
    ...actors.map((actor) => actor.subject),
  ];
  const targets: readonly DenyTarget[] = [{ jti }, { kid }, { user }, ...clients.map((client) => ({ client }))];
  for (const target of targets) {
    const entry = denials
      .get(keyOf(target))
      ?.find(
        (each) =>
          isInForce(each, nowMs) && (!('issuer' in each) || each.issuer === undefined || each.issuer === issuer),
      );
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function isInForce({ expiresAtMs }: DenyEntry, nowMs: number): boolean {
  return expiresAtMs === undefined || nowMs < expiresAtMs;
}

function isOfToken(target: DenyTarget): boolean {
  return 'jti' in target || 'kid' in target || 'client' in target || 'user' in target;
}

function keyOf(target: DenyTarget): string {
  if ('spiffeId' in target) return target.spiffeId;
  if ('serial' in target) return `serial ${target.serial.replace(/^0+(?=.)/, '')}`; // some write numbers with zeros in front
  if ('keyThumbprint' in target) return `key ${target.keyThumbprint}`;
  if ('jti' in target) return `jti ${target.jti.normalize('NFC')}`;
  if ('kid' in target) return `kid ${target.kid.normalize('NFC')}`;
  return 'client' in target ? `client ${target.client.normalize('NFC')}` : `user ${target.user.normalize('NFC')}`;
}
