import { Fault } from '#runtime/fault.ts';

/** Why the control plane said no. `reason` is a kebab-case word for logs and people. */
export interface Refusal {
  readonly code: 'invalid-argument' | 'unauthenticated' | 'permission-denied' | 'resource-exhausted';
  readonly reason: string;
  /** With `resource-exhausted`: not before this many milliseconds. Travels as `retry-after` in whole seconds. */
  readonly retryAfterMs?: number;
}

/** gRPC status codes (grpc/doc/statuscodes.md) of refusals; every other non-zero one is a fault. */
export const refusalCodes = {
  'invalid-argument': 3,
  'permission-denied': 7,
  'resource-exhausted': 8,
  unauthenticated: 16,
} as const satisfies Record<Refusal['code'], number>;

const reasonForm = /^[a-z0-9-]{1,80}$/;

/** What a caller gets to hear of a status that was not ours to send: `invalid-argument` and so on. */
export function toRefusal(status: {
  code: number;
  details: string;
  retryAfter: string | undefined;
}): Refusal | undefined {
  const code = (Object.keys(refusalCodes) as Refusal['code'][]).find((name) => refusalCodes[name] === status.code);
  if (code === undefined) return undefined;
  const reason = reasonForm.test(status.details) ? status.details : code;
  const seconds = Number(status.retryAfter);
  return Number.isInteger(seconds) && seconds > 0 && seconds <= 86_400
    ? { code, reason, retryAfterMs: seconds * 1000 }
    : { code, reason };
}

export function unreachableFault(address: string, cause: unknown): Fault {
  return new Fault('CONTROL_PLANE_UNREACHABLE', `no answer from the control plane at ${address}`, {
    cause,
    hint: `is it running and reachable? its address is the agent's setting identity.controlPlane.address`,
  });
}
