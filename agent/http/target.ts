import { isIPv6 } from 'node:net';

/** The four forms of a request target (RFC 9112, section 3.2). */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk';

export interface Target {
  readonly form: TargetForm;
  /** `host` or `host:port` of the absolute and authority forms, as sent; empty in the other two. */
  readonly authority: string;
  /** Port that the scheme implies: `:80`, `:443`, or empty. */
  readonly impliedPort: string;
}

const originTarget: Target = { form: 'origin', authority: '', impliedPort: '' };
const asteriskTarget: Target = { form: 'asterisk', authority: '', impliedPort: '' };

/**
 * The form of a target, `undefined` where it has none: `*` for OPTIONS only, `host:port` for CONNECT and nothing else for
 * CONNECT. What stands in the path is not judged here.
 */
export function readTarget(method: string, target: string): Target | undefined {
  if (method === 'CONNECT') return readAuthorityForm(target);
  if (target.charCodeAt(0) === 0x2f) return originTarget;
  if (target === '*') return method === 'OPTIONS' ? asteriskTarget : undefined;
  const lower = target.slice(0, 8).toLowerCase();
  if (lower === 'https://') return readAbsoluteForm(target, 8, ':443');
  return lower.startsWith('http://') ? readAbsoluteForm(target, 7, ':80') : undefined;
}

function readAuthorityForm(target: string): Target | undefined {
  const hasPort = /:[0-9]+$/.test(target);
  return hasPort && isAuthority(target) ? { form: 'authority', authority: target, impliedPort: '' } : undefined;
}

function readAbsoluteForm(target: string, start: number, impliedPort: string): Target | undefined {
  const authority = target.slice(start, authorityEnd(target, start));
  return isAuthority(authority) ? { form: 'absolute', authority, impliedPort } : undefined;
}

function authorityEnd(target: string, start: number): number {
  for (let at = start; at < target.length; at += 1) {
    const code = target.charCodeAt(at);
    if (code === 0x2f || code === 0x3f) return at;
  }
  return target.length;
}

/**
 * Whether the text is `host` or `host:port` as we accept it: a name of letters, digits, `.`, `-`, `_`, an IPv4 or a
 * bracketed IPv6 address, and a port from 1 to 65535 without leading zeros. No user part, percent sign or Unicode, no
 * empty host (RFC 9110, sections 4.2.1 and 7.2).
 */
export function isAuthority(text: string): boolean {
  if (text.charCodeAt(0) === 0x5b) return isIPv6Authority(text);
  let at = 0;
  while (isHostChar(text.charCodeAt(at))) at += 1;
  return at > 0 && at <= 253 && (at === text.length || isPortSuffix(text, at));
}

function isIPv6Authority(text: string): boolean {
  const close = text.indexOf(']');
  const address = text.slice(1, close);
  if (close < 0 || address.includes('%') || !isIPv6(address)) return false;
  return close + 1 === text.length || isPortSuffix(text, close + 1);
}

function isPortSuffix(text: string, at: number): boolean {
  const digits = text.length - at - 1;
  if (text.charCodeAt(at) !== 0x3a || digits < 1 || digits > 5 || text.charCodeAt(at + 1) === 0x30) return false;
  let port = 0;
  for (let next = at + 1; next < text.length; next += 1) {
    const digit = text.charCodeAt(next) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65_535;
}

function isHostChar(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) || // a-z
    (code >= 0x30 && code <= 0x39) || // 0-9
    code === 0x2e || // .
    code === 0x2d || // -
    (code >= 0x41 && code <= 0x5a) || // A-Z
    code === 0x5f // _
  );
}

/**
 * Whether a Host field names the target's own authority: letter case and the scheme's implied port aside, they are
 * equal (RFC 9112, section 3.2.2). For CONNECT the Host field may leave the port out, as some clients do.
 */
export function hostMatches(target: Target, host: string): boolean {
  const authority = target.authority.toLowerCase();
  const given = host.toLowerCase();
  if (authority === given) return true;
  if (target.form === 'authority') return authority.slice(0, authority.lastIndexOf(':')) === given;
  return authority + target.impliedPort === given || given + target.impliedPort === authority;
}

/**
 * The target to send to an origin server: path and query as they came. Not for CONNECT (RFC 9112, section 3.2.1; 3.2.4
 * for OPTIONS without a path).
 */
export function originForm(request: {
  readonly method: string;
  readonly target: string;
  readonly form: TargetForm;
}): string {
  if (request.form !== 'absolute') return request.target;
  const rest = request.target.slice(authorityEnd(request.target, request.target.indexOf('://') + 3));
  if (rest.startsWith('/')) return rest;
  return rest === '' && request.method === 'OPTIONS' ? '*' : `/${rest}`;
}
