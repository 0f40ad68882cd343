import { unreachable } from '#runtime/result.ts';
import { showDuration } from '#cli/time-text.ts';
import type { UpEvent } from './events.ts';
import type { Summary } from './summary.ts';

/** One event as a line for people; undefined for what only machines want. */
export function describeEvent(event: UpEvent): string | undefined {
  switch (event.event) {
    case 'up.starting':
      return `${event.mesh}: ${count(event.workloads, 'workload')}, trust domain ${event.trustDomain}, certificates live ${showDuration(event.svidLifeMs)}`;
    case 'up.ready':
      return `ready after ${(event.tookMs / 1000).toFixed(1)} s; Ctrl-C stops everything`;
    case 'up.waiting':
      return `${nameOf(event)} waits: ${event.why}${event.lastLine === null ? '' : ` (${event.lastLine})`}`;
    case 'up.stopping':
      return `stopping: ${event.why}`;
    case 'control-plane.ready':
      return `control plane ready at ${event.address}`;
    case 'agent.ready':
      return `${event.workload}: agent ready at ${event.inbound} as ${event.spiffeId}`;
    case 'app.ready':
      return `${event.workload}: app ready${event.ports.length > 0 ? ` on port ${event.ports.join(' and ')}` : ''}`;
    case 'app.late':
      return `${event.workload}: the app does not listen on ${event.ports.join(' and ')} after ${showDuration(event.waitedMs)}; is that where it listens?`;
    case 'app.twin-started':
      return `${event.workload}: ${event.missing} is not on PATH here, so its twin is started instead: ${event.instead}`;
    case 'app.output':
      return `${event.workload} | ${event.line}`;
    case 'part.crashed':
      return describeCrash(event);
    case 'part.restarted':
      return `${nameOf(event)} started again (start ${event.starts})`;
    case 'svid.rotated':
      return `${event.workload}: certificate rotated (${event.rotations}), now valid until ${timeOfDay(event.notAfter)}`;
    case 'path.proved':
      return `${event.path.join(' → ')} over mTLS (${event.by === 'echo' ? 'each app was told its verified caller' : 'counted by the agents on every hop'})`;
    case 'traffic.failed':
      return `request failed (${event.failed}): ${event.url}: ${event.why}`;
    case 'progress':
      return totals(event);
    default:
      return unreachable(event);
  }
}

export function totals({ requests, failed, resets, denied }: Omit<Summary, 'workloads'>): string {
  const refused = denied === 0 ? '' : `, ${denied} denied`;
  return `requests ${Math.max(0, requests - failed)} ok, ${failed} failed, ${resets} resets${refused}`;
}

function describeCrash(event: Extract<UpEvent, { event: 'part.crashed' }>): string {
  const { exit, error, lastLine, restartInMs, logFile } = event;
  const ended = exit?.signal == null ? `ended with code ${exit?.code}` : `was ended by ${exit.signal}`;
  const how = error === null ? ended : `could not start: ${error}`;
  const said = lastLine === null ? '' : ` (${lastLine})`;
  return `${nameOf(event)} ${how}${said}; next start in ${(restartInMs / 1000).toFixed(1)} s; log: ${logFile}`;
}

function nameOf({ part, workload }: { part: string; workload: string | null }): string {
  return workload === null ? 'control plane' : `${workload}: ${part}`;
}

/** `12:00:05Z` of an ISO time. */
function timeOfDay(iso: string | null): string {
  return iso === null ? 'unknown' : `${iso.slice(11, 19)}Z`;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
