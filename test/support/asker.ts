import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** One request as its sender saw it. */
export interface Asked {
  readonly beganMs: number;
  readonly endedMs: number;
  /** 0 when the connection was refused or broke. */
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Sends a small request at a steady pace, each on a connection of its own, and keeps every answer. */
export interface Asker extends AsyncDisposable {
  readonly answers: readonly Asked[];
  /** Resolves with the moment from which on all was well, once that has lasted for `forMs`; rejects after `deadlineMs`. */
  allWell(forMs: number, deadlineMs: number): Promise<number>;
}

const answerDeadlineMs = 10_000;

export function startAsker(port: number, everyMs: number): Asker {
  const answers: Asked[] = [];
  const inFlight = new Set<Promise<void>>();
  const stop = new AbortController();
  const asking = (async () => {
    for (let number = 1; !stop.signal.aborted; number += 1) {
      const one: Promise<void> = ask(port, number).then((answer) => {
        answers.push(answer);
        inFlight.delete(one);
      });
      inFlight.add(one);
      await sleep(everyMs);
    }
  })();
  return {
    answers,
    async allWell(forMs, deadlineMs) {
      const startedMs = Date.now();
      while (Date.now() - startedMs < deadlineMs) {
        const lastBad = answers.findLast(({ status }) => status !== 200);
        const sinceMs = Math.max(startedMs, lastBad?.endedMs ?? 0);
        const isAsking = answers.some(({ beganMs }) => beganMs > sinceMs);
        if (isAsking && Date.now() - sinceMs >= forMs) return sinceMs;
        await sleep(50);
      }
      throw new Error(`not well after ${deadlineMs} ms; the last answer: ${JSON.stringify(answers.at(-1))}`);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await asking;
      await Promise.all(inFlight);
    },
  };
}

function ask(port: number, number: number): Promise<Asked> {
  const beganMs = Date.now();
  return new Promise((resolve) => {
    const done = (status: number, contentType: string, body: string): void =>
      resolve({ beganMs, endedMs: Date.now(), status, contentType, body });
    const sent = request({ host: '127.0.0.1', port, path: `/${number}`, agent: false }, (reply) => {
      let body = '';
      reply.setEncoding('utf8').on('data', (piece: string) => (body += piece));
      reply.on('error', (error) => done(0, '', error.message));
      reply.on('end', () => {
        const status = reply.statusCode ?? 0;
        const isOurs = status !== 200 || (JSON.parse(body) as { url?: unknown }).url === `/${number}`;
        done(isOurs ? status : 0, reply.headers['content-type'] ?? '', body);
      });
    });
    sent.setTimeout(answerDeadlineMs, () => sent.destroy(new Error('no answer')));
    sent.on('error', (error) => done(0, '', error.message));
    sent.end();
  });
}
