import type { ControlPlaneLink } from '#agent/identity/watch.ts';
import { ok, refuse } from '#runtime/result.ts';
import type { Exchange } from './token-source.ts';

/** The control plane as an issuer: its answer is bound to the certificate that the call was made with. */
export function controlPlaneExchange(exchangeToken: ControlPlaneLink['exchangeToken']): Exchange {
  return async (identity, { audience, scopes }, options) => {
    const request = { audience, scopes, subjectToken: '', subjectTokenType: '', requestedTokenType: '' };
    const answer = await exchangeToken(identity, request, options);
    if (!answer.ok) return refuse({ refused: answer.reason.reason });
    if (answer.value.kind === 'refused') return refuse({ refused: answer.value.error });
    const { token, issuedAtMs, expiresAtMs } = answer.value;
    return ok({ text: token, lifeMs: expiresAtMs - issuedAtMs });
  };
}
