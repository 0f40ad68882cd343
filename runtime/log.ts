import { pino } from 'pino';

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** Writes one event. The room's `events.ts` lists every event with its fields; there is no free text. */
export type Emit<E extends { readonly event: string }> = (event: E) => void;

export interface LogOptions<E extends { readonly event: string }> {
  /** The level of each event: the room's complete list. */
  readonly levels: Readonly<Record<E['event'], Level>>;
  readonly minLevel: Level;
  /** On every line, e.g. `{ workload: 'prices' }`. */
  readonly base: Readonly<Record<string, string>>;
  /** 1 = stdout, 2 = stderr. */
  readonly fd: 1 | 2;
}

/**
 * JSON lines `{"level":"info","time":"…","event":"svid.rotated",…}`. An `error` field keeps message, code and the
 * causes' messages only: a stack or a foreign object could carry what must not be logged.
 */
export function createLog<E extends { readonly event: string }>(options: LogOptions<E>): Emit<E> {
  const logger = pino(
    {
      level: options.minLevel,
      base: options.base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeError },
    },
    pino.destination({ fd: options.fd, sync: true }),
  );
  return (event) => {
    logger[options.levels[event.event as E['event']]](event);
  };
}

/** One line for people and machines: `CODE message ← cause ← cause`, at most 500 characters. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at !== undefined && parts.length < 5; at = at instanceof Error ? at.cause : undefined) {
    const message = at instanceof Error ? at.message : typeof at === 'string' ? at : typeof at;
    const code = at instanceof Error && 'code' in at ? String(at.code) : '';
    parts.push(code === '' || message.includes(code) ? message : `${code} ${message}`);
  }
  return parts.join(' ← ').slice(0, 500);
}
