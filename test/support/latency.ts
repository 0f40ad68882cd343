import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Latencies {
  readonly requests: number;
  /** What went wrong, in words. */
  readonly failures: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Sends small requests at a steady rate over up to 32 kept connections; each is timed from when it was due. */
export async function measureLatency(port: number, perSecond: number, forMs: number): Promise<Latencies> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const tookMs: number[] = [];
  const failures: string[] = [];
  const open = new Set<Promise<void>>();
  const startedMs = performance.now();
  for (let number = 0; (number * 1000) / perSecond < forMs; number += 1) {
    const dueMs = startedMs + (number * 1000) / perSecond;
    const leftMs = dueMs - performance.now();
    if (leftMs > 0) await sleep(leftMs);
    const one = sendOne(port, agent)
      .then(() => void tookMs.push(performance.now() - dueMs))
      .catch((error: Error) => void failures.push(error.message))
      .finally(() => open.delete(one));
    open.add(one);
  }
  await Promise.all(open);
  agent.destroy();
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))] ?? NaN;
  return { requests: tookMs.length, failures, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function sendOne(port: number, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, agent, path: '/' }, (reply) => {
      let text = '';
      reply.setEncoding('latin1').on('data', (piece: string) => (text += piece));
      reply.on('error', reject);
      reply.on('end', () => (text === 'ok' ? resolve() : reject(new Error(`${reply.statusCode} ${text}`))));
    });
    sent.setTimeout(20_000, () => sent.destroy(new Error('no answer')));
    sent.on('error', reject);
    sent.end();
  });
}
