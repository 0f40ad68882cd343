import type { RefusedToken, Sts, TokenRequest } from '#control-plane/sts/sts.ts';
import type { MeshHandlers } from '#proto/mesh-server.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { ExchangeTokenRequest, ExchangeTokenResponse } from '#proto/token-messages.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

/** The agents' door to the token service: the client, the actor and the binding are the SVID of the connection, always. */
export function createExchangeToken(sts: Sts | undefined): MeshHandlers['exchangeToken'] {
  return async (request, peer) => {
    if (!request.ok) return refuse({ code: 'invalid-argument', reason: request.reason });
    if (peer.kind !== 'svid') return refuse({ code: 'unauthenticated', reason: 'current-svid-not-accepted' });
    if (sts === undefined) return refuse({ code: 'permission-denied', reason: 'no-token-service' });
    const issued = await sts.issue(toTokenRequest(request.value), { svid: peer.svid, address: peer.address });
    return issued.ok ? ok({ kind: 'issued', ...issued.value }) : refusedAnswer(issued.reason);
  };
}

const bySvid = { kind: 'svid', clientId: undefined } as const;

function toTokenRequest(request: ExchangeTokenRequest): TokenRequest {
  const { audience, scopes, subjectToken: token, subjectTokenType: type, requestedTokenType } = request;
  const subject = token === '' && type === '' ? undefined : { token, type };
  return { credentials: bySvid, audience, scopes, subject, requestedTokenType, binding: 'certificate' };
}

function refusedAnswer({ error, description, retryAfterMs }: RefusedToken): Result<ExchangeTokenResponse, Refusal> {
  if (retryAfterMs === undefined) return ok({ kind: 'refused', error, description });
  return refuse({ code: 'resource-exhausted', reason: 'come-back-later', retryAfterMs });
}
