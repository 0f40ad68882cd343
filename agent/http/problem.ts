import { unreachable } from '#runtime/result.ts';
import type { HeadProblem } from './head.ts';

/**
 * Names the decision behind an answer of an agent. Reserved: an app's own is removed, so that the caller's agent can tell
 * an answer of the other agent from one of the app.
 */
export const decisionHeader = 'X-Eastwest-Decision';
/** The same as a field's name in HTTP/2. */
export const decisionName = decisionHeader.toLowerCase();

export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  /** Leads an operator to the reason in our log. */
  readonly decisionId?: string;
  /** `WWW-Authenticate` (RFC 9110, section 11.6.1). */
  readonly challenge?: string;
}

const reasonPhrases: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [408, 'Request Timeout'],
  [413, 'Content Too Large'],
  [417, 'Expectation Failed'],
  [421, 'Misdirected Request'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
  [505, 'HTTP Version Not Supported'],
]);

export function reasonPhrase(status: number): string {
  return reasonPhrases.get(status) ?? 'Error';
}

/** A whole answer of ours, after which the connection closes: `application/problem+json` (RFC 9457). */
export function problemResponse(problem: Problem): Buffer {
  const content = Buffer.from(problemContent(problem), 'utf8');
  return Buffer.concat([Buffer.from(problemHead(problem, content.length), 'latin1'), content]);
}

/** The same answer to a HEAD request: without the content, whose length it tells (RFC 9110, section 9.3.2). */
export function problemResponseToHead(problem: Problem): Buffer {
  return Buffer.from(problemHead(problem, Buffer.byteLength(problemContent(problem))), 'latin1');
}

/** As JSON text. */
export function problemContent({ status, title, detail, decisionId }: Problem): string {
  return JSON.stringify({ title, status, detail, decisionId });
}

function problemHead({ status, decisionId, challenge }: Problem, contentBytes: number): string {
  return (
    `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n` +
    (decisionId === undefined ? '' : `${decisionHeader}: ${decisionId}\r\n`) +
    (challenge === undefined ? '' : `WWW-Authenticate: ${challenge}\r\n`) +
    'Content-Type: application/problem+json\r\n' +
    `Content-Length: ${contentBytes}\r\n` +
    'Cache-Control: no-store\r\n' +
    'Connection: close\r\n\r\n'
  );
}

/** What a caller whose request head was refused is answered. The reason itself stays in our log. */
export function headProblemStatus(reason: HeadProblem): 400 | 431 | 501 | 505 {
  switch (reason) {
    case 'head-too-large':
    case 'too-many-headers':
      return 431;
    case 'unknown-method':
      return 501;
    case 'unsupported-version':
      return 505;
    case 'bad-request-line':
    case 'bad-status-line':
    case 'bad-target':
    case 'bad-header-name':
    case 'space-before-colon':
    case 'obs-fold':
    case 'bad-header-value':
    case 'bare-line-feed':
    case 'bare-carriage-return':
    case 'missing-host':
    case 'several-hosts':
    case 'bad-host':
    case 'host-mismatch':
    case 'bad-content-length':
    case 'several-content-lengths':
    case 'bad-transfer-encoding':
    case 'transfer-encoding-on-http10':
    case 'length-and-transfer-encoding':
    case 'unexpected-body':
      return 400;
    default:
      return unreachable(reason);
  }
}
