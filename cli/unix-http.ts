import { request } from 'node:http';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';

const maxAnswerBytes = 4 * 1024 * 1024;

/** What `GET path` over a Unix socket answers, as parsed JSON. Throws `Fault` NO_ANSWER, also after `deadlineMs`. */
export function getJson(
  socketPath: string,
  path: string,
  bounds: { deadlineMs: number; clock: Clock },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => reject(new Fault('NO_ANSWER', `no answer from ${socketPath}`, { cause }));
    const sent = request({ socketPath, path, headers: { host: 'localhost' }, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxAnswerBytes) sent.destroy(new Error(`more than ${maxAnswerBytes} bytes`));
        chunks.push(chunk);
      });
      answer.on('error', failed);
      answer.on('end', () => {
        try {
          if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
          resolve(JSON.parse(Buffer.concat(chunks).toString()));
        } catch (cause) {
          failed(cause);
        }
      });
    });
    const deadline = bounds.clock.timer(bounds.deadlineMs, () =>
      sent.destroy(new Error(`nothing in ${bounds.deadlineMs} ms`)),
    );
    sent.on('error', failed);
    sent.on('close', () => deadline.cancel());
    sent.end();
  });
}
