import type { RequestHead } from '#agent/http/head.ts';
import { originForm } from '#agent/http/target.ts';
import { normalizePath, type PathProblem } from '#policy/path.ts';
import { ok, type Result } from '#runtime/result.ts';

/** A request's target as it is decided on, and as the app receives it. */
export interface AppTarget {
  /** Normalised, without the query. */
  readonly path: string;
  /** That path, and the query as it came. */
  readonly text: string;
}

/** Not for CONNECT, whose target has no path. */
export function appTarget(head: Pick<RequestHead, 'method' | 'target' | 'form'>): Result<AppTarget, PathProblem> {
  const sent = originForm(head);
  const at = sent.indexOf('?');
  const query = at < 0 ? '' : sent.slice(at);
  const path = normalizePath(at < 0 ? sent : sent.slice(0, at));
  return path.ok ? ok({ path: path.value, text: path.value + query }) : path;
}
