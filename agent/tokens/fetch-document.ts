import { request } from 'node:https';
import { readBoundedFile } from '#runtime/bounded-file.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

export interface DocumentAddress {
  /** `https:` only: trust in the keys is trust in that server's certificate (S69). */
  readonly url: string;
  /** PEM file with the roots to trust there; undefined: those of the system. */
  readonly caPath: string | undefined;
}

/** Of the whole: connecting, TLS, every byte of the answer. */
const fetchDeadlineMs = 5_000;
const maxBytes = 262_144;
const maxCaBytes = 1_048_576;

/**
 * Gets a key document: one GET, 200 or nothing. No redirect is followed (A22, S69), no more than 256 KiB is read, no
 * connection is kept. Refuses in a few words, never with text of the server's.
 */
export async function fetchDocument(
  { url, caPath }: DocumentAddress,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Result<Buffer, string>> {
  const ca = caPath === undefined ? undefined : await readBoundedFile(caPath, maxCaBytes);
  if (ca !== undefined && !ca.ok) return refuse(`${caPath} ${ca.reason}`);
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = (result: Result<Buffer, string>): void => {
      deadline.cancel();
      resolve(result);
      over.abort();
    };
    const deadline = clock.timer(fetchDeadlineMs, () => end(refuse(`no whole answer within ${fetchDeadlineMs} ms`)));
    const options = {
      ...(ca !== undefined && { ca: ca.value }),
      agent: false, // a connection of its own
      headers: { accept: 'application/jwk-set+json, application/json' },
      minVersion: 'TLSv1.2',
      signal: AbortSignal.any([signal, over.signal]),
    } as const;
    const sent = request(url, options, (response) => {
      const status = response.statusCode ?? 0;
      if (status !== 200)
        return end(refuse(status >= 300 && status < 400 ? 'redirects are refused' : `status ${status}`));
      const pieces: Buffer[] = [];
      let bytes = 0;
      response.on('data', (piece: Buffer) => {
        bytes += piece.length;
        if (bytes > maxBytes) return end(refuse(`is larger than ${maxBytes} bytes`));
        pieces.push(piece);
      });
      response.on('end', () => end(response.complete ? ok(Buffer.concat(pieces)) : refuse('broke off')));
      response.on('error', () => end(refuse('broke off')));
    });
    sent.on('error', (error: NodeJS.ErrnoException) => end(refuse(error.code ?? 'no answer')));
    sent.end();
  });
}
