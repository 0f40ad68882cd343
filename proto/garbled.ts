import { Fault } from '#runtime/fault.ts';
import type { Result } from '#runtime/result.ts';

/** What the control plane answered; throws `Fault` CONTROL_PLANE_GARBLED where nobody can read it. */
export function readable<T>(parsed: Result<T, string>): T {
  if (parsed.ok) return parsed.value;
  throw new Fault('CONTROL_PLANE_GARBLED', `the control plane's answer cannot be read: ${parsed.reason}`);
}
