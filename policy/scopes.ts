import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Operation, ScopeTemplate, ScopeTemplates } from './model.ts';

/** An operation whose scopes have become what they stand for. */
export interface ResolvedOperation {
  readonly operation: Operation;
  /** One of these, where scopes are named. */
  readonly alternatives: readonly ScopeTemplate[] | undefined;
}

export type ScopeIndex = ReadonlyMap<string, readonly ScopeTemplate[]>;

/** A scope may stand for several methods and paths, also in several documents. */
export function indexScopes(documents: readonly ScopeTemplates[]): ScopeIndex {
  return Map.groupBy(
    documents.flatMap(({ scopes }) => scopes),
    ({ scope }) => scope,
  );
}

/** Refuses with the positions of names that nothing explains. */
export function resolveScopes(operation: Operation, scopes: ScopeIndex): Result<ResolvedOperation, readonly number[]> {
  if (operation.scopes === undefined) return ok({ operation, alternatives: undefined });
  const unknown = [...operation.scopes.keys()].filter((index) => !scopes.has(operation.scopes?.[index] ?? ''));
  if (unknown.length > 0) return refuse(unknown);
  return ok({ operation, alternatives: operation.scopes.flatMap((scope) => scopes.get(scope) ?? []) });
}
