import { request } from 'node:http';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';

export interface AnswerBounds {
  readonly deadlineMs: number;
  /** 1 MiB where nothing is said. */
  readonly maxBytes?: number;
  /** Nobody waits for it any more. */
  readonly signal?: AbortSignal;
  readonly clock: Clock;
}

/**
 * What `GET path` over a Unix socket answers, as parsed JSON. Throws `Fault` NO_ANSWER, also after `deadlineMs`, and
 * NOT_FOUND where the answer is 404; its cause says why.
 */
export function getJson(
  socketPath: string,
  path: string,
  { deadlineMs, maxBytes = 1024 * 1024, signal, clock }: AnswerBounds,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => reject(new Fault('NO_ANSWER', `no answer from ${socketPath}`, { cause }));
    const sent = request({ socketPath, path, headers: { host: 'localhost' }, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) sent.destroy(new Error(`it has more than ${maxBytes} bytes`));
        else chunks.push(chunk);
      });
      answer.on('error', failed);
      answer.on('end', () => {
        if (answer.statusCode === 404) return reject(new Fault('NOT_FOUND', `${socketPath} has no ${path}`));
        try {
          if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
          resolve(JSON.parse(Buffer.concat(chunks).toString()));
        } catch (cause) {
          failed(cause);
        }
      });
    });
    const deadline = clock.timer(deadlineMs, () => sent.destroy(new Error(`it is not there in ${deadlineMs} ms`)));
    const leave = (): void => void sent.destroy(new Error('nobody waits for it'));
    signal?.addEventListener('abort', leave);
    sent.on('error', failed);
    sent.on('close', () => {
      deadline.cancel();
      signal?.removeEventListener('abort', leave);
    });
    sent.end();
  });
}
