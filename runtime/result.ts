/** Either a value or a reason from a closed set: how everyday refusals travel (faults are thrown, see `fault.ts`). */
export type Result<T, R> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: R };

export const ok = <T>(value: T): Result<T, never> => ({ ok: true, value });
export const refuse = <R>(reason: R): Result<never, R> => ({ ok: false, reason });

/** Ends an exhaustive `switch`: a new case that nobody handled does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable case: ${JSON.stringify(value)}`);
}
