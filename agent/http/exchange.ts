import type { BodyLimits, BodyProblem } from './body.ts';
import { pumpMessage, type PumpEnd } from './body-pump.ts';
import type { ByteChannel } from './channel.ts';
import {
  readResponseHead,
  type HeaderField,
  type HeadLimits,
  type HeadProblem,
  type RequestHead,
  type ResponseHead,
} from './head.ts';
import { headerField } from './header-field.ts';
import { chunkedCoding, connectionClose, connectionKeepAlive, contentLength, webSocketUpgrade } from './own-fields.ts';
import { decisionHeader } from './problem.ts';
import { readHead } from './read-head.ts';
import { endToEndHeaders, writeRequestHead, writeResponseHead } from './write.ts';

/** A request that was judged, as it is to be written. */
export interface Forwarded {
  readonly head: RequestHead;
  /** Origin-form target. */
  readonly target: string;
  /** End-to-end headers, ours set; without framing. */
  readonly headers: readonly HeaderField[];
  /** Which fields of the answer, and which trailers of both messages, may pass. */
  readonly filterFields: (fields: readonly HeaderField[]) => readonly HeaderField[];
}

export interface ExchangeLimits {
  readonly head: HeadLimits;
  readonly body: BodyLimits;
}

export type ExchangeProblem =
  /** Gone before the first byte of an answer. */
  | 'upstream-closed'
  /** Gone in the middle of its answer. */
  | 'upstream-broken'
  | 'downstream-gone'
  | {
      readonly badResponse:
        | HeadProblem
        | BodyProblem
        | 'protected-header-in-connection'
        | 'unexpected-upgrade'
        | 'too-many-interim';
    }
  | { readonly badRequestBody: BodyProblem };

export type Exchanged =
  | {
      readonly kind: 'done';
      readonly status: number;
      /** `agent`: it names a decision. Only what a peer's agent sent says so truly: it removes the name from its app's answers. */
      readonly answeredBy: 'app' | 'agent';
      readonly downReusable: boolean;
      readonly upReusable: boolean;
      readonly upIdleMs: number | undefined;
    }
  /** Answered 101: from here on both sides are opaque. */
  | { readonly kind: 'upgraded' }
  /** `answered`: whether a byte of the answer has reached the caller. */
  | { readonly kind: 'failed'; readonly problem: ExchangeProblem; readonly answered: 'nothing' | 'partly' };

const maxInterim = 10;
const decisionName = decisionHeader.toLowerCase();

/** Sends one request up and its answer down, both written anew. Request body and answer flow at the same time. */
export async function exchange(
  { down, up }: { down: ByteChannel; up: ByteChannel },
  request: Forwarded,
  limits: ExchangeLimits,
  onProgress: () => void,
): Promise<Exchanged> {
  const { head } = request;
  const framing = head.framing;
  const sending = pumpMessage({
    from: down,
    to: up,
    framing,
    as: framing.kind === 'chunked' ? 'chunked' : 'plain',
    head: Buffer.from(
      writeRequestHead({ method: head.method, target: request.target }, requestHeaders(request)),
      'latin1',
    ),
    limits: limits.body,
    filterTrailers: request.filterFields,
    onProgress,
  });
  let sent: PumpEnd | undefined;
  const onSent = (end: PumpEnd): void => {
    sent = end;
    if (end.kind === 'from-cut' || end.kind === 'refused') up.duplex.destroy(new Error('the request broke off')); // ends the wait for an answer
  };
  const whole = sending instanceof Promise ? sending.then(onSent) : onSent(sending);
  down.onCut = () => up.duplex.destroy(new Error('the caller is gone'));
  const answer = await receive({ down, up }, request, limits, onProgress);
  const callerLeft = down.onCut === undefined;
  down.onCut = undefined;
  if (sent === undefined && answer.kind !== 'done') up.duplex.destroy();
  const broke = sent as PumpEnd | undefined;
  if (answer.kind === 'failed' && (callerLeft || broke?.kind === 'from-cut'))
    return { ...answer, problem: 'downstream-gone' };
  if (answer.kind === 'failed' && broke?.kind === 'refused')
    return { ...answer, problem: { badRequestBody: broke.reason } };
  if (answer.kind !== 'done') return answer;
  if (broke?.kind === 'done') return answer;
  void whole; // an early answer: the rest of the request body is not wanted, and neither side can be used again
  return { ...answer, downReusable: false, upReusable: false };
}

function requestHeaders({ head, headers }: Forwarded): HeaderField[] {
  const out = [...headers];
  if (!headers.some(({ name }) => name === 'host')) out.push(headerField('Host', head.host || 'localhost')); // HTTP/1.0
  if (head.framing.kind === 'length') out.push(contentLength(head.framing.bytes));
  if (head.framing.kind === 'chunked') out.push(chunkedCoding);
  if (isForwardedUpgrade(head)) out.push(...webSocketUpgrade);
  return out;
}

/** Only WebSocket is passed on; an offer of anything else is left out, as RFC 9110 §7.8 lets a proxy do. */
function isForwardedUpgrade(head: RequestHead): boolean {
  return head.upgrade === 'websocket' && head.method === 'GET' && head.framing.kind === 'none';
}

async function receive(
  { down, up }: { down: ByteChannel; up: ByteChannel },
  request: Forwarded,
  limits: ExchangeLimits,
  onProgress: () => void,
): Promise<Exchanged> {
  for (let interim = 0; ; interim += 1) {
    const read = await readHead(up, (bytes) => readResponseHead(bytes, limits.head, request.head.method), onProgress);
    if (read.kind === 'end') return failed('upstream-closed');
    if (read.kind === 'cut') return failed(interim === 0 ? 'upstream-closed' : 'upstream-broken');
    if (read.kind === 'refused') return failed({ badResponse: read.reason });
    const { head } = read;
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return failed({ badResponse: headers.reason });
    if (head.status === 101) return upgrade(down, request, { head, headers: request.filterFields(headers.value) });
    if (head.status >= 200)
      return answerWith({ down, up }, request, {
        head,
        headers: request.filterFields(headers.value),
        limits,
        onProgress,
      });
    if (interim >= maxInterim) return failed({ badResponse: 'too-many-interim' });
    if (request.head.version === '1.1') await writeHead(down, head, request.filterFields(headers.value));
  }
}

/** A response head and its end-to-end headers. */
interface Answered {
  readonly head: ResponseHead;
  readonly headers: readonly HeaderField[];
}

async function upgrade(down: ByteChannel, request: Forwarded, { head, headers }: Answered): Promise<Exchanged> {
  if (!isForwardedUpgrade(request.head) || head.upgrade !== 'websocket')
    return failed({ badResponse: 'unexpected-upgrade' });
  await writeHead(down, head, [...headers, ...webSocketUpgrade]);
  return { kind: 'upgraded' };
}

async function answerWith(
  { down, up }: { down: ByteChannel; up: ByteChannel },
  request: Forwarded,
  answered: Answered & { limits: ExchangeLimits; onProgress: () => void },
): Promise<Exchanged> {
  const { head, limits, onProgress } = answered;
  const { framing } = head;
  const old = request.head.version === '1.0';
  const unframed = framing.kind === 'chunked' || framing.kind === 'until-close';
  const downReusable = request.head.keepAlive && !(old && unframed);
  const headers = [...answered.headers];
  if (framing.kind === 'length') headers.push(contentLength(framing.bytes));
  if (framing.kind === 'none') headers.push(...describedLength(request.head.method, head));
  if (unframed && !old) headers.push(chunkedCoding);
  if (!downReusable) headers.push(connectionClose);
  else if (old) headers.push(connectionKeepAlive);
  const moved = await pumpMessage({
    from: up,
    to: down,
    framing,
    as: unframed && !old ? 'chunked' : 'plain',
    head: Buffer.from(writeResponseHead(head, headers), 'latin1'),
    limits: limits.body,
    filterTrailers: request.filterFields,
    onProgress,
  });
  if (moved.kind === 'to-cut') return { kind: 'failed', problem: 'downstream-gone', answered: 'partly' };
  if (moved.kind === 'from-cut') return { kind: 'failed', problem: 'upstream-broken', answered: 'partly' };
  if (moved.kind === 'refused') return { kind: 'failed', problem: { badResponse: moved.reason }, answered: 'partly' };
  const upReusable = head.keepAlive && framing.kind !== 'until-close';
  const upIdleMs = head.keepAliveTimeoutSeconds === undefined ? undefined : head.keepAliveTimeoutSeconds * 1000;
  const answeredBy = head.headers.some(({ name }) => name === decisionName) ? 'agent' : 'app';
  return { kind: 'done', status: head.status, answeredBy, downReusable, upReusable, upIdleMs };
}

/** The length that the answer to a GET would have had: the answer to HEAD and a 304 say it without having a body. */
function describedLength(method: string, head: ResponseHead): HeaderField[] {
  if (method !== 'HEAD' && head.status !== 304) return [];
  return head.headers.filter((header) => header.name === 'content-length').slice(0, 1);
}

async function writeHead(down: ByteChannel, head: ResponseHead, headers: readonly HeaderField[]): Promise<void> {
  try {
    await down.write(Buffer.from(writeResponseHead(head, headers), 'latin1'));
  } catch {
    // the caller is gone: reading its request body or the next write says so
  }
}

function failed(problem: ExchangeProblem): Exchanged {
  return { kind: 'failed', problem, answered: 'nothing' };
}
