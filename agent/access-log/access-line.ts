export type Direction = 'inbound' | 'outbound' | 'gateway';

/**
 * `ok`: the app answered, whatever its status, or a stream ended in order. `denied`: an agent would not. `failed`: an
 * agent could not. `cut`: it broke off, or the caller left.
 */
export type Outcome = 'ok' | 'denied' | 'failed' | 'cut';

/** What a line says of one request or opaque stream. Bodies, query strings and tokens have no field to go in. */
export interface AccessLine {
  readonly direction: Direction;
  readonly peer: string | undefined;
  readonly client: string | undefined;
  readonly destination: string | undefined;
  /** As the caller spoke it; `HTTP` of a head that could not be read. */
  readonly protocol: 'HTTP' | 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | 'opaque';
  readonly method: string | undefined;
  readonly path: string | undefined;
  /** 0: nothing was answered, or there is no such thing. */
  readonly status: number;
  readonly grpcStatus: number | undefined;
  readonly durationMs: number;
  /** Body bytes, without framing. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly outcome: Outcome;
  /** Why it was refused before it was admitted, or why nothing could be passed on; as events name it. */
  readonly reason: string | undefined;
  readonly decisionId: string | undefined;
  readonly traceId: string | undefined;
}

/** Longer texts are cut: a line must not grow as a head may. */
const maxTextChars = 2_048;

/** Whose agent writes. */
export interface Writer {
  readonly workload: string;
  /** Its own; undefined: there was none yet. */
  readonly spiffeId: string | undefined;
}

/** A line of JSON with its end. Every text goes through `JSON.stringify`; what is undefined is left out (A74). */
export function accessLine(line: AccessLine, { workload, spiffeId }: Writer, nowMs: number): string {
  const text = JSON.stringify({
    time: isoTime(nowMs),
    workload,
    spiffeId,
    direction: line.direction,
    peer: line.peer,
    client: line.client,
    destination: cut(line.destination),
    protocol: line.protocol,
    method: cut(line.method),
    path: cut(line.path),
    status: line.status === 0 ? undefined : line.status,
    grpcStatus: line.grpcStatus,
    durationMs: Math.round(Math.max(0, line.durationMs) * 1_000) / 1_000,
    requestBytes: line.requestBytes,
    responseBytes: line.responseBytes,
    outcome: line.outcome,
    reason: line.reason,
    decisionId: cut(line.decisionId),
    traceId: line.traceId,
  });
  return `${text}\n`;
}

function cut(text: string | undefined): string | undefined {
  return text !== undefined && text.length > maxTextChars ? `${text.slice(0, maxTextChars)}…` : text;
}

/** The second that was written last: most lines share theirs. */
const second = { at: NaN, text: '' };

/** ISO 8601 in UTC, to the millisecond (RFC 3339). */
function isoTime(ms: number): string {
  const at = Math.floor(ms / 1_000);
  if (at !== second.at) {
    second.at = at;
    // oxlint-disable-next-line no-restricted-globals -- a conversion: it reads no clock
    second.text = new Date(at * 1_000).toISOString().slice(0, 19);
  }
  return `${second.text}.${String(Math.floor(ms - at * 1_000)).padStart(3, '0')}Z`;
}
