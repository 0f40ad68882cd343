import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { AgentTally } from './summary.ts';

/**
 * Whether one response proves that its request went along `path`: for every hop it must quote an
 * `x-forwarded-client-cert` in which the callee's agent names the callee (`By=`) and the caller (`URI=`). Only apps
 * that echo the header can prove this.
 */
export function isPathEchoed(responseText: string, path: readonly SpiffeId[]): boolean {
  const seen = new Set<string>();
  for (const element of responseText.split('By=').slice(1)) {
    const callee = leadingId(element);
    const caller = leadingId(element.split('URI=')[1] ?? '');
    seen.add(`${caller} → ${callee}`);
  }
  return path.length > 1 && path.slice(1).every((callee, i) => seen.has(`${path[i]} → ${callee}`));
}

/** Whether the agents counted traffic on every hop. Weaker: not the same request on each. */
export function isPathCounted(path: readonly string[], tallies: ReadonlyMap<string, AgentTally>): boolean {
  const counters = (name: string | undefined) => tallies.get(name ?? '')?.counters;
  return (
    path.length > 1 &&
    path.slice(1).every((callee, i) => {
      const sent = counters(path[i])?.requests ?? 0;
      const received = counters(callee)?.inboundRequests ?? 0;
      return sent > 0 && received > 0;
    })
  );
}

/** A SPIFFE ID ends where its grammar does: before a quote, a backslash, `;` or `,`. */
function leadingId(text: string): string {
  return /^"?([a-zA-Z0-9._:/-]*)/.exec(text.replaceAll('\\', ''))?.[1] ?? '';
}
