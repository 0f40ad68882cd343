import type { RequestHead } from '#agent/http/head.ts';
import { LastAdmission } from '#agent/http/last-admission.ts';
import { LastHead } from '#agent/http/last-head.ts';
import type { OutboundProblem } from './answers.ts';

/** What the connections to one upstream remember together. */
export class CommonMemory {
  readonly head = new LastHead<RequestHead>();
  readonly admission = new LastAdmission<OutboundProblem>();
}
