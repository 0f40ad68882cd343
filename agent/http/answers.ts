import { unreachable } from '#runtime/result.ts';
import type { ExchangeProblem } from './message.ts';
import type { UnreadProblem } from './head.ts';
import { headProblemStatus, problemResponse, problemResponseToHead } from './problem.ts';

/** An answer of ours, `application/problem+json` (RFC 9457); it ends the connection. */
export interface Answer {
  readonly status: number;
  /** What the caller may learn. */
  readonly title: string;
  /** Leads an operator to the reason in our log. */
  readonly decisionId?: string;
  /** `WWW-Authenticate` (RFC 9110, section 11.6.1). */
  readonly challenge?: string;
}

export function problemAnswer(status: number, title: string, decisionId?: string): Answer {
  return { status, title, ...(decisionId === undefined ? {} : { decisionId }) };
}

/** The whole message; the answer to HEAD has no content. */
export function answerBytes(answer: Answer, requestMethod: string): Buffer {
  return requestMethod === 'HEAD' ? problemResponseToHead(answer) : problemResponse(answer);
}

/** For a request head that was refused; which rule it broke stays in our log. */
export function headProblemAnswer(reason: UnreadProblem, decisionId: string): Answer {
  if (reason === 'head-timeout') return problemAnswer(408, 'The request took too long', decisionId);
  const status = reason === 'protected-header-in-connection' ? 400 : headProblemStatus(reason);
  return problemAnswer(status, headProblemTitles[status], decisionId);
}

const headProblemTitles = {
  400: 'The request is not valid HTTP',
  431: 'The request head is too large',
  501: 'The request asks for something that is not supported',
  505: 'Only HTTP/1.1 and HTTP/1.0 are spoken here',
} as const;

/** For an exchange that broke before a byte of the answer was passed on. */
export function exchangeProblemAnswer(problem: ExchangeProblem, decisionId: string): Answer {
  if (typeof problem === 'object') {
    return 'badRequestBody' in problem
      ? problemAnswer(400, 'The request body is not valid HTTP', decisionId)
      : problemAnswer(502, 'The answer was not valid HTTP', decisionId);
  }
  switch (problem) {
    case 'downstream-timeout':
      return problemAnswer(408, 'The request body took too long', decisionId);
    case 'upstream-timeout':
      return problemAnswer(504, 'No answer came in time', decisionId);
    case 'upstream-closed':
    case 'upstream-broken':
    case 'downstream-gone':
      return problemAnswer(502, 'The connection was closed before an answer came', decisionId);
    default:
      return unreachable(problem);
  }
}

/** The problem in one word, for logs. */
export function exchangeProblemName(problem: ExchangeProblem): string {
  if (typeof problem === 'string') return problem;
  if ('badRequestBody' in problem) return `bad-request-body ${problem.badRequestBody}`;
  const { badResponse } = problem;
  return badResponse === 'speaks-http2'
    ? 'bad-response speaks-http2: declare protocol http2'
    : `bad-response ${badResponse}`;
}
