import type { X509Svid } from '#certs/svid.ts';
import type { RegisteredClient, Registry } from '#control-plane/registry/registry.ts';
import { clientWithSecret } from '#control-plane/registry/secrets.ts';
import { refuse, type Result } from '#runtime/result.ts';
import type { Audience } from '#tokens/claims.ts';
import { verifyClientAssertion, defaultAssertionLifetimeSeconds } from '#tokens/client-assertion.ts';
import type { SeenIds } from '#tokens/seen-ids.ts';
import { assertionKeySet } from './assertion-keys.ts';
import type { TokenRefusal } from './refusals.ts';

/** What a client proves itself with; `clientId` as the request has it, undefined where the proof says it. */
export type Credentials =
  /** mTLS (RFC 8705, section 2.1): the SVID of the connection. */
  | { readonly kind: 'svid'; readonly clientId: string | undefined }
  /** `private_key_jwt` (RFC 7523). */
  | { readonly kind: 'assertion'; readonly clientId: string; readonly assertion: string }
  | { readonly kind: 'secret'; readonly clientId: string; readonly secret: string }
  /** What a door could not read as any of these. */
  | { readonly kind: 'unreadable'; readonly reason: UnreadableCredentials }
  /** A public client says its name only. */
  | { readonly kind: 'public'; readonly clientId: string };

export type UnreadableCredentials = 'no-client-authentication' | 'several-client-authentications' | 'bad-svid';

/** The connection that a request came on. */
export interface Caller {
  /** Verified now; undefined: it showed no client certificate. */
  readonly svid: X509Svid | undefined;
  /** `192.0.2.1:40000` */
  readonly address: string;
}

export interface ClientParts {
  readonly registry: Registry;
  /** Our issuer identifier: the one audience of assertions. */
  readonly issuer: Audience;
  readonly seenAssertions: SeenIds;
}

const skewSeconds = 30;

/** The client, if it is who it says. What is wrong is for the log; see `oauthAnswer` for what the caller hears. */
export function authenticateClient(
  credentials: Credentials,
  { svid }: Caller,
  parts: ClientParts & { readonly nowMs: number },
): Result<RegisteredClient, TokenRefusal> {
  const client = proven(credentials, svid, parts);
  if (!client.ok) return client;
  const { sourceIdentities } = client.value;
  if (sourceIdentities.size > 0 && !(svid !== undefined && sourceIdentities.has(svid.spiffeId))) {
    return refuse({ reason: 'not-a-source-identity' });
  }
  return client;
}

function proven(
  credentials: Credentials,
  svid: X509Svid | undefined,
  parts: ClientParts & { readonly nowMs: number },
): Result<RegisteredClient, TokenRefusal> {
  const { registry, nowMs } = parts;
  switch (credentials.kind) {
    case 'svid': {
      if (svid === undefined) return refuse({ reason: 'no-client-authentication' });
      if (credentials.clientId !== undefined && credentials.clientId !== svid.spiffeId) {
        return refuse({ reason: 'client-id-is-not-the-svid' });
      }
      const client = registry.clientBySpiffeId(svid.spiffeId);
      if (!client.ok) return refuse({ reason: client.reason }); // it has proved its name: it may know
      return client.value.authentication.kind === 'svid' ? client : refuse({ reason: 'other-authentication' });
    }
    case 'secret': {
      const { clientId, secret } = credentials;
      const client = clientWithSecret(registry, clientId, { text: secret, nowMs });
      if (client.ok) return client;
      const reason = client.reason === 'other-authentication' ? client.reason : 'wrong-secret';
      return refuse({ reason, detail: client.reason });
    }
    case 'assertion':
      return byAssertion(credentials, parts);
    case 'unreadable':
      return refuse({ reason: credentials.reason });
    case 'public': {
      const client = registry.client(credentials.clientId);
      if (!client.ok) return refuse({ reason: 'unregistered', detail: client.reason });
      return client.value.authentication.kind === 'public' ? client : refuse({ reason: 'other-authentication' });
    }
  }
}

function byAssertion(
  { clientId, assertion }: Extract<Credentials, { kind: 'assertion' }>,
  { registry, issuer, seenAssertions, nowMs }: ClientParts & { readonly nowMs: number },
): Result<RegisteredClient, TokenRefusal> {
  const client = registry.client(clientId);
  if (!client.ok) return refuse({ reason: 'unregistered', detail: client.reason });
  const { authentication } = client.value;
  if (authentication.kind !== 'private-key-jwt') return refuse({ reason: 'other-authentication' });
  const verified = verifyClientAssertion(assertion, {
    clientId,
    keys: assertionKeySet(authentication.keys),
    issuer,
    nowMs,
    skewSeconds,
    maxLifetimeSeconds: defaultAssertionLifetimeSeconds,
  });
  if (!verified.ok) return refuse({ reason: 'bad-assertion', detail: verified.reason });
  const { tokenId, replayableUntilMs } = verified.value;
  const admitted = seenAssertions.admit(`${client.value.id} ${tokenId}`, { nowMs, untilMs: replayableUntilMs });
  return admitted.ok ? client : refuse({ reason: 'assertion-replayed', detail: admitted.reason });
}
