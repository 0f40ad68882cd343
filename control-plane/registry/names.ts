import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

/**
 * Names are compared byte for byte, and so may not look like another: lower-case ASCII only, no letter of another script,
 * nothing that case or Unicode forms could change (A71).
 */
const plainNameForm = /^[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?$/;
/** RFC 6749, section 3.3, without `*`: nobody shall take a scope for a pattern. */
const scopeForm = /^[\x21\x23-\x29\x2b-\x5b\x5d-\x7e]{1,256}$/;
const maxAudienceLength = 512;
/** A client_id. */
export function readClientId(text: string): Result<string, string> {
  return text.includes('://') ? readSpiffeText(text) : readPlainName(text);
}

/** Of tenants, roles, clients outside the mesh, and the like. */
export function readPlainName(text: string): Result<string, string> {
  if (plainNameForm.test(text)) return ok(text);
  return refuse('is no name: write a-z, 0-9, "-", "." and "_", at most 128, e.g. billing-export');
}

function readSpiffeText(text: string): Result<string, string> {
  const id = parseSpiffeId(text);
  return id.ok ? ok(text) : refuse('is no SPIFFE ID: write e.g. spiffe://prod.example/ns/shop/sa/cart');
}

/** A SPIFFE ID, an https URI (RFC 8707, section 2) in the one spelling that counts, or a name. Never a pattern (S50). */
export function readAudience(text: string): Result<string, string> {
  if (text.includes('*')) return refuse('is a pattern: audiences are compared exactly, write each of them');
  if (text.length > maxAudienceLength)
    return refuse(`is too long: an audience has at most ${maxAudienceLength} letters`);
  if (text.startsWith('spiffe://')) return readSpiffeText(text);
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return readUri(text);
  if (plainNameForm.test(text)) return ok(text);
  return refuse('is no audience: write a SPIFFE ID, an https URI, or a name such as payments');
}

function readUri(text: string): Result<string, string> {
  const uri = URL.parse(text);
  if (uri === null || uri.protocol !== 'https:')
    return refuse('is no audience: of URIs only https://… and spiffe://… are');
  const { username, password, search, hash } = uri;
  if ([username, password, search, hash].some((part) => part !== '') || /[?#]/.test(text)) {
    return refuse('is no audience: leave out user, query and fragment');
  }
  const spelled = text === uri.origin ? uri.origin : uri.href;
  return text === spelled ? ok(text) : refuse(`is not how it is compared: write ${spelled}`);
}

export function readScope(text: string): Result<string, string> {
  if (scopeForm.test(text)) return ok(text);
  return refuse('is no scope: write e.g. payments.read (RFC 6749, section 3.3), without patterns');
}

/** Text for people: in one form (NFC), and nothing that is not seen or turns other text around. */
export function readNote(text: string): Result<string, string> {
  if (text !== text.normalize('NFC')) return refuse('is not in Unicode form NFC: type it anew');
  if (/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/u.test(text))
    return refuse('has characters that are not seen: leave them out');
  return text.length <= 1_024 ? ok(text) : refuse('is too long: 1024 characters are enough');
}
