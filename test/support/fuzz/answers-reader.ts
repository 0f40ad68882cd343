import type { ReferenceRequest } from './reference-reader.ts';

export interface ReadAnswer {
  readonly status: number;
  readonly said: string;
}

/** Reads the final answers to `requests` off a byte stream; throws where they are no answers. A broken last one counts not. */
export function readAnswers(bytes: Buffer, requests: readonly ReferenceRequest[]): ReadAnswer[] {
  const text = bytes.toString('latin1');
  const answers: ReadAnswer[] = [];
  for (let at = 0; at < text.length;) {
    const blank = text.indexOf('\r\n\r\n', at);
    if (blank < 0) return answers;
    const [line = '', ...fields] = text.slice(at, blank).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no answer: ${JSON.stringify(text.slice(at, at + 500))} in ${text}`);
    at = blank + 4;
    if (status < 200) continue;
    const valueOf = (name: string): string | undefined =>
      fields
        .find((field) => field.toLowerCase().startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim();
    const isHead =
      requests[answers.length]?.method === 'HEAD' && (at === text.length || text.startsWith('HTTP/1.1 ', at));
    const body = isHead
      ? { said: '', end: at }
      : readBody(text, at, { length: valueOf('content-length'), coding: valueOf('transfer-encoding') });
    if (body === undefined) return answers;
    answers.push({ status, said: body.said });
    at = body.end;
  }
  return answers;
}

interface Framed {
  readonly length: string | undefined;
  readonly coding: string | undefined;
}

function readBody(text: string, start: number, { length, coding }: Framed): { said: string; end: number } | undefined {
  if (coding !== 'chunked') {
    const end = start + Number(length);
    return end <= text.length ? { said: text.slice(start, end), end } : undefined;
  }
  let said = '';
  for (let at = start; ;) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = parseInt(text.slice(at, lineEnd), 16);
    if (lineEnd < 0 || lineEnd + 4 + size > text.length) return undefined;
    said += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 4 + size;
    if (size === 0) return { said, end: at };
  }
}
