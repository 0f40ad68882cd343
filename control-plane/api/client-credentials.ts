import type { Credentials } from '#control-plane/sts/client.ts';
import { decode, type Form } from './form.ts';

const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const several = { kind: 'unreadable', reason: 'several-client-authentications' } as const;
const none = { kind: 'unreadable', reason: 'no-client-authentication' } as const;

/** How the connection was authenticated: `bad`, by a certificate that is no SVID of ours. */
export type Certificate = 'none' | 'svid' | 'bad';

/** The one proof that a request has (RFC 6749, section 2.3); several are refused (A33), never ranked. */
export function readCredentials(authorization: string | undefined, form: Form, certificate: Certificate): Credentials {
  if (certificate === 'bad') return { kind: 'unreadable', reason: 'bad-svid' };
  const clientId = form.get('client_id');
  const secret = form.get('client_secret');
  const assertion = form.get('client_assertion');
  const assertionType = form.get('client_assertion_type');
  const proofs = [authorization, secret, assertion ?? assertionType].filter((proof) => proof !== undefined);
  if (proofs.length > 1) return several;
  if (authorization !== undefined) return readBasic(authorization, clientId);
  if (secret !== undefined) return clientId === undefined ? none : { kind: 'secret', clientId, secret };
  if (assertion !== undefined || assertionType !== undefined) {
    if (assertion === undefined || assertionType !== jwtBearer || clientId === undefined) return none;
    return { kind: 'assertion', clientId, assertion };
  }
  if (certificate === 'svid' && (clientId === undefined || clientId.startsWith('spiffe://'))) {
    return { kind: 'svid', clientId };
  }
  return clientId === undefined ? none : { kind: 'public', clientId };
}

/** RFC 6749, section 2.3.1: both parts are form-encoded before they are put together. */
function readBasic(authorization: string, named: string | undefined): Credentials {
  const [, encoded] = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization) ?? [];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString();
  const at = text.indexOf(':');
  if (at < 1) return none;
  const clientId = decode(text.slice(0, at));
  const secret = decode(text.slice(at + 1));
  if (clientId === undefined || secret === undefined) return none;
  return named === undefined || named === clientId ? { kind: 'secret', clientId, secret } : several;
}
