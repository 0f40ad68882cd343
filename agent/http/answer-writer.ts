import type { Pipe } from '#agent/pipe/pipe.ts';
import { BodyWriter, type Written } from './body-writer.ts';
import type { HeaderField, RequestHead, ResponseHead } from './head.ts';
import { contentLength } from './own-fields.ts';
import { writeFieldLines, writeResponseHead } from './write.ts';

/** Writes answers to an HTTP/1 caller, framed by us: with their length, chunked, or to a 1.0 caller until the close. */
export class AnswerWriter {
  /** Of the current answer; 0 before its head. */
  status = 0;
  /** Whether another answer may follow this one. */
  keepsAlive = true;
  readonly #pipe: Pipe;
  readonly #body: BodyWriter;

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
    this.#body = new BodyWriter(pipe);
  }

  /** Body bytes of the current answer, without framing. */
  get bytes(): number {
    return this.#body.bytes;
  }

  begin(): void {
    this.status = 0;
    this.#body.begin(0);
  }

  informational(head: ResponseHead, headers: readonly HeaderField[]): void {
    this.#pipe.writeText(writeResponseHead(head, headers));
  }

  /** `then`: whether the connection is meant to live on. */
  head(request: RequestHead, head: ResponseHead, headers: readonly HeaderField[], then: 'keep' | 'close'): void {
    const { framing } = head;
    const isOld = request.version === '1.0';
    const isUnframed = framing.kind === 'chunked' || framing.kind === 'until-close';
    this.status = head.status;
    this.keepsAlive = then === 'keep' && !(isOld && isUnframed);
    this.#body.begin(isUnframed ? (isOld ? Infinity : 'chunked') : framing.kind === 'length' ? framing.bytes : 0);
    const isUsual = !isOld && this.keepsAlive;
    this.#pipe.writeText(isUsual ? usualText(request, head, headers) : closingText(request, head, headers, this));
  }

  data(bytes: Buffer): Written {
    return this.#body.data(bytes);
  }

  end(trailers: readonly HeaderField[]): 'whole' | 'too-short' {
    return this.#body.end(trailers);
  }
}

/** To a 1.1 caller who stays. An upstream that repeats its head byte for byte repeats the object, and finds its text here. */
function usualText(request: RequestHead, head: ResponseHead, headers: readonly HeaderField[]): string {
  const { written } = head;
  if (written !== undefined && written.headers === headers) return written.text;
  let text = startText(request, head, headers);
  if (head.framing.kind === 'chunked' || head.framing.kind === 'until-close') text += 'Transfer-Encoding: chunked\r\n';
  text += '\r\n';
  head.written = { headers, text };
  return text;
}

function closingText(
  request: RequestHead,
  head: ResponseHead,
  headers: readonly HeaderField[],
  { keepsAlive }: { readonly keepsAlive: boolean },
): string {
  const isOld = request.version === '1.0';
  const isChunked = !isOld && (head.framing.kind === 'chunked' || head.framing.kind === 'until-close');
  return (
    startText(request, head, headers) +
    (isChunked ? 'Transfer-Encoding: chunked\r\n' : '') +
    (keepsAlive ? 'Connection: keep-alive\r\n\r\n' : 'Connection: close\r\n\r\n')
  );
}

/** Status line, fields and length. */
function startText({ method }: RequestHead, head: ResponseHead, headers: readonly HeaderField[]): string {
  const { framing } = head;
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n${writeFieldLines(headers)}`;
  if (framing.kind === 'length') text += writeFieldLines([contentLength(framing.bytes)]);
  else if (framing.kind === 'none') text += writeFieldLines(describedLength(method, head));
  return text;
}

/** The length that the answer to a GET would have had: the answer to HEAD and a 304 say it without having a body. */
function describedLength(method: string, head: ResponseHead): HeaderField[] {
  if (method !== 'HEAD' && head.status !== 304) return [];
  return head.headers.filter((header) => header.name === 'content-length').slice(0, 1);
}
