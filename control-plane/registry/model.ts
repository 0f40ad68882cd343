import type { KeyObject } from 'node:crypto';
import type { SpiffeId } from '#certs/spiffe-id.ts';

/** No token lives longer, whatever a registration says (S51); verifiers refuse longer ones too. */
export const maxTokenLifeMs = 15 * 60_000;
export const defaultTokenLifeMs = 5 * 60_000;

/** `client_credentials` (RFC 6749, section 4.4), `token_exchange` (RFC 8693). */
export const grants = ['client_credentials', 'token_exchange'] as const;
export type Grant = (typeof grants)[number];

/** What a client may ask for as `requested_token_type` (RFC 8693, section 3), without its URN. */
export const tokenTypes = ['access_token', 'jwt', 'txn_token'] as const;
export type TokenType = (typeof tokenTypes)[number];

/** Whom a token is bound to: a certificate (RFC 8705), a DPoP key (RFC 9449), or nobody: a bearer token. */
export const bindings = ['certificate', 'dpop', 'none'] as const;
export type Binding = (typeof bindings)[number];

/** `admin`: what widens the registration waits until another operator approves it. */
export const approvals = ['none', 'admin'] as const;
export type Approval = (typeof approvals)[number];

/** Algorithms of a client assertion; the key's own, and no other, is accepted (RFC 8725, section 3.1). */
export const assertionAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
] as const;
export type AssertionAlgorithm = (typeof assertionAlgorithms)[number];

export interface AssertionKey {
  /** Key ID; one key of a client has it. */
  readonly kid: string;
  readonly algorithm: AssertionAlgorithm;
  readonly publicKey: KeyObject;
  /** RFC 7638, base64url: one key is one thumbprint, however it is written. */
  readonly thumbprint: string;
}

/** How a client proves who it is. */
export type Authentication =
  /** mTLS with its SVID (RFC 8705, section 2.1): the client_id is its SPIFFE ID. */
  | { readonly kind: 'svid' }
  /** RFC 7523; the public keys were uploaded with the registration. */
  | { readonly kind: 'private-key-jwt'; readonly keys: readonly AssertionKey[] }
  /** A secret that we made: see secrets.ts. */
  | { readonly kind: 'client-secret' }
  /** It proves nothing: a user's token speaks for it. */
  | { readonly kind: 'public' };

interface Common {
  /** Fixed for the life of the registration; undefined: of all tenants, which the document says by `global: true`. */
  readonly tenant: string | undefined;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly approval: Approval;
}

/** Who may ask for tokens, and for which. */
export interface Client extends Common {
  readonly kind: 'Client';
  /** The client_id. */
  readonly name: string;
  readonly authentication: Authentication;
  /** None: it asks for no tokens, e.g. a service that only has them introspected. */
  readonly grants: ReadonlySet<Grant>;
  readonly tokenTypes: ReadonlySet<TokenType>;
  /** By audience, compared exactly: the scopes it may ask for there. */
  readonly access: ReadonlyMap<string, ReadonlySet<string>>;
  readonly roles: ReadonlySet<string>;
  readonly maxLifetimeMs: number;
  readonly binding: Binding;
  /** Audiences at which it may name the user itself (S62). */
  readonly assertsUsersAt: ReadonlySet<string>;
  /** SPIFFE IDs of which one must make the request, over mTLS; empty: anyone who proves to be the client. */
  readonly sourceIdentities: ReadonlySet<SpiffeId>;
}

/** What tokens are for: a resource with an audience of its own. */
export interface Service extends Common {
  readonly kind: 'Service';
  /** The audience. */
  readonly name: string;
  readonly scopes: ReadonlySet<string>;
  /** client_ids that are this service: they may introspect its tokens, and exchange what was sent to it. */
  readonly owners: ReadonlySet<string>;
}

export type RegistryDocument = Client | Service;
export type RegistryKind = RegistryDocument['kind'];

export interface RegistryRef {
  readonly kind: RegistryKind;
  readonly name: string;
}

/** `Client/cart`; no kind has a `/`. */
export const registryKey = ({ kind, name }: RegistryRef): string => `${kind}/${name}`;

/** A document and what was written: plain values as JSON. */
export interface WrittenDocument {
  readonly document: RegistryDocument;
  readonly json: string;
}

/** Who acts, as the audit log names them. */
export interface Actor {
  /** Stable: a name may be given anew, an id never is. */
  readonly id: string;
  readonly name: string;
}

export interface ClientSecret {
  /** 16 hexadecimal digits; may be logged. */
  readonly id: string;
  /** SHA-256 of its 256 random bits. */
  readonly hash: Buffer;
  readonly madeAtMs: number;
  readonly madeBy: Actor;
  /** False: it counts once what it came with is approved. */
  readonly isUsable: boolean;
  /** Undefined: not before the next one comes. */
  readonly endsAtMs: number | undefined;
}

/** What waits for somebody to approve it. */
export interface Proposal extends WrittenDocument {
  readonly by: Actor;
  readonly atMs: number;
  /** With a new secret: how long the one before stays good after the approval. */
  readonly secretOverlapMs: number;
}

/** Everything we know about one name. */
export interface Registration extends RegistryRef {
  /** 16 hexadecimal digits. Of this registration alone: whoever gets the name later has another one (A71). */
  readonly id: string;
  /** Counts its changes, from 1. */
  readonly revision: number;
  readonly isDisabled: boolean;
  /** Undefined: nothing was approved yet. */
  readonly inForce: WrittenDocument | undefined;
  readonly proposal: Proposal | undefined;
  readonly registeredBy: Actor;
  /** Whose word put into force what is. */
  readonly approvedBy: Actor | undefined;
  readonly changedAtMs: number;
  /** Of a client with `client-secret`. */
  readonly secrets: readonly ClientSecret[];
}

export type RegistrationState = 'pending' | 'approved' | 'disabled';

export function stateOf({ inForce, isDisabled }: Registration): RegistrationState {
  if (inForce === undefined) return 'pending';
  return isDisabled ? 'disabled' : 'approved';
}

/** A name that was deleted, and is given to nobody while tokens of the old one may live (A72). */
export interface Tombstone extends RegistryRef {
  readonly id: string;
  readonly heldUntilMs: number;
}

/** A difference between the clocks of those who verify. */
const skewMs = 60_000;

/**
 * Until when a name is held after its registration was deleted: as long as anything that proves to be the old one can be
 * good. `proofUntilMs`: the end of its last SVID.
 */
export function heldUntil(nowMs: number, proofUntilMs: number): number {
  return Math.max(nowMs, proofUntilMs) + maxTokenLifeMs + skewMs;
}
