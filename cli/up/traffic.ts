import { Agent, get } from 'node:http';
import type { Clock } from '#runtime/clock.ts';
import type { TrafficSpec } from './mesh-types.ts';
import type { TrafficCount } from './summary.ts';

export interface Traffic {
  readonly count: TrafficCount;
  /** Begins no more requests; resolves when those under way have ended, at most their deadline later. */
  stop(): Promise<void>;
}

export interface TrafficParts {
  readonly clock: Clock;
  /** The beginning of every good answer, as text. */
  readonly onAnswer: (text: string) => void;
  readonly onFailure: (url: string, why: string) => void;
}

export type Outcome =
  | { readonly kind: 'ok'; readonly text: string }
  | { readonly kind: 'failed' | 'reset'; readonly why: string };

const paceMs = 10;
const maxUnderWay = 256;
const maxTextBytes = 64 * 1024;

/** Requests due by now and not yet begun. After a pause of ours at most one second's worth is made up for. */
export function requestsDue(elapsedMs: number, begun: number, perSecond: number): number {
  const due = Math.floor((elapsedMs / 1000) * perSecond) + 1 - begun;
  return Math.min(Math.max(0, due), Math.ceil(perSecond));
}

/** Sends steady traffic as an outside client would, over a few kept connections. No request is ever sent twice. */
export function startTraffic(specs: readonly TrafficSpec[], parts: TrafficParts): Traffic {
  const stopping = new AbortController();
  const count = { requests: 0, failed: 0, resets: 0 };
  const underWay = new Set<Promise<void>>();
  const agent = new Agent({ keepAlive: true, maxSockets: maxUnderWay });

  const begin = (spec: TrafficSpec): void => {
    const ended = send(spec, agent, parts.clock).then((outcome) => {
      count.requests += 1;
      if (outcome.kind === 'ok') return parts.onAnswer(outcome.text);
      count.failed += 1;
      if (outcome.kind === 'reset') count.resets += 1;
      return parts.onFailure(spec.url, outcome.why);
    });
    underWay.add(ended);
    void ended.finally(() => underWay.delete(ended));
  };

  const drive = async (spec: TrafficSpec): Promise<void> => {
    const startedMs = parts.clock.monotonic();
    let begun = 0;
    while (!stopping.signal.aborted) {
      const due = requestsDue(parts.clock.monotonic() - startedMs, begun, spec.perSecond);
      const room = maxUnderWay - underWay.size; // when nothing answers any more, requests wait their turn
      for (let i = 0; i < Math.min(due, room); i += 1) begin(spec);
      begun += due;
      await parts.clock.sleep(paceMs, stopping.signal).catch(() => undefined);
    }
  };

  const driving = specs.map(drive);
  return {
    get count() {
      return { ...count };
    },
    async stop() {
      stopping.abort();
      await Promise.all(driving);
      await Promise.all(underWay);
      agent.destroy();
    },
  };
}

/** One GET. Good is a complete 2xx answer within the deadline. */
export function send(spec: TrafficSpec, agent: Agent, clock: Clock): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = get(spec.url, { agent }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        if (bytes < maxTextBytes) chunks.push(chunk);
        bytes += chunk.length;
      });
      response.on('error', (error) => resolve(brokenBy(error)));
      response.on('end', () => {
        deadline.cancel();
        const status = response.statusCode ?? 0;
        const text = Buffer.concat(chunks).toString();
        const isGood = status >= 200 && status < 300 && response.complete;
        resolve(isGood ? { kind: 'ok', text } : { kind: 'failed', why: `${status} ${text.slice(0, 200)}`.trim() });
      });
    });
    const deadline = clock.timer(spec.deadlineMs, () =>
      request.destroy(new Error(`no answer in ${spec.deadlineMs} ms`)),
    );
    request.on('error', (error) => {
      deadline.cancel();
      resolve(brokenBy(error));
    });
  });
}

function brokenBy(error: NodeJS.ErrnoException): Outcome {
  const isCut = error.code === 'ECONNRESET' || error.code === 'EPIPE';
  return { kind: isCut ? 'reset' : 'failed', why: error.message };
}
