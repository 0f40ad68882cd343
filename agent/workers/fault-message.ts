import type { AgentEvent } from '#agent/events.ts';
import { messageOf } from '#runtime/error-lines.ts';
import { Fault } from '#runtime/fault.ts';
import { describeError } from '#runtime/log.ts';

/** An error as it goes from thread to thread, where its code and its class would be lost. */
export interface FaultMessage {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** What was behind it, in one line. */
  readonly cause: string | undefined;
}

export function toFaultMessage(error: unknown): FaultMessage {
  const { code, hint } = error instanceof Fault ? error : { code: 'WORKER_FAILED', hint: undefined };
  const cause = error instanceof Error && error.cause !== undefined ? describeError(error.cause) : undefined;
  return { code, message: messageOf(error), hint, cause };
}

export function fromFaultMessage({ code, message, hint, cause }: FaultMessage): Fault {
  return new Fault(code, message, { cause, ...(hint !== undefined && { hint }) });
}

/** What an event says of an error, as text. */
export function toEventMessage(event: AgentEvent): AgentEvent {
  return 'error' in event ? { ...event, error: describeError(event.error) } : event;
}
