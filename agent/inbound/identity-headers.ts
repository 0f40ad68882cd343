import type { SpiffeId } from '#certs/spiffe-id.ts';
import { headerField, type HeaderField } from '#agent/http/header-field.ts';
import { stripReserved } from '#agent/http/reserved.ts';

/** The verified caller as the app is told of it. */
export interface CallerIdentity {
  readonly spiffeId: SpiffeId;
  /** 64 hex digits: SHA-256 of the caller's leaf certificate. */
  readonly thumbprint: string;
  /** RFC 4514 text, or empty. */
  readonly subject: string;
  /** The workload called: whose agent verified the caller. */
  readonly by: SpiffeId;
}

/** A longer subject is left out: a foreign certificate must not make the head too large for the app. */
const maxSubjectChars = 1_024;

/** One field per caller object: a connection's caller is the same for all its requests. */
const fieldOf = new WeakMap<CallerIdentity, HeaderField>();

/**
 * The headers without whatever came under a name of ours, and with exactly one `x-forwarded-client-cert` in Envoy's format
 * (its SANITIZE_SET): set by us from the verified certificate, never appended to. Of a caller without one (undefined)
 * nothing is said.
 */
export function setIdentityHeaders(headers: readonly HeaderField[], caller: CallerIdentity | undefined): HeaderField[] {
  const out = stripReserved(headers);
  if (caller !== undefined) out.push(clientCertField(caller));
  return out;
}

function clientCertField(caller: CallerIdentity): HeaderField {
  let field = fieldOf.get(caller);
  if (field === undefined) {
    const subject = caller.subject.length > maxSubjectChars ? '' : caller.subject;
    const value =
      `By=${quoteIfNeeded(caller.by)};Hash=${quoteIfNeeded(caller.thumbprint)};` +
      `Subject=${quote(subject)};URI=${quoteIfNeeded(caller.spiffeId)}`;
    field = headerField('x-forwarded-client-cert', value);
    fieldOf.set(caller, field);
  }
  return field;
}

/** A SPIFFE ID cannot hold a character that needs quotes; should one get here all the same, it cannot forge an element. */
function quoteIfNeeded(text: string): string {
  return /^[A-Za-z0-9:/._-]*$/.test(text) ? text : quote(text);
}

/**
 * In double quotes. Quotes and backslashes get a backslash, so that no reader takes one of the text for the end; what is not
 * printable ASCII becomes RFC 4514's hex pairs of its UTF-8 bytes first.
 */
function quote(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]+/g, (run) => {
    let pairs = '';
    for (const byte of Buffer.from(run, 'utf8')) pairs += `\\${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    return pairs;
  });
  return `"${printable.replace(/["\\]/g, '\\$&')}"`;
}
