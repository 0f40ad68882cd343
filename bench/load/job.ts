/** One run of the load generator; everything is on 127.0.0.1. What it counts: HTTP requests, calls, messages, connections. */
export type Job = Common & Work;

interface Common {
  readonly port: number;
  readonly connections: number;
  /** The same load, before anything is counted. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** Process IDs whose CPU time is to be read at the first and at the last moment of the counted time. */
  readonly watch: readonly number[];
}

export type Work = HttpWork | GrpcWork | EchoWork | DownloadWork | ConnectWork | FixedRateWork;

/** One request after the other on each connection. A body is sent and one of the same length is expected. */
export interface HttpWork {
  readonly kind: 'http';
  /** 0: a GET. */
  readonly bodyBytes: number;
}

/** HTTP/2 without TLS; each stream sends one message and waits for its echo. */
export interface GrpcWork {
  readonly kind: 'grpc';
  /** `unary`: a stream for each message; `streaming`: all messages on streams that stay open. */
  readonly calls: 'unary' | 'streaming';
  /** At once on each connection. */
  readonly streams: number;
  readonly messageBytes: number;
}

/** Bytes over TCP, and the same number of bytes back, one message at a time on each connection. */
export interface EchoWork {
  readonly kind: 'echo';
  readonly messageBytes: number;
}

/** The same large body again and again on each connection. */
export interface DownloadWork {
  readonly kind: 'download';
  readonly bytes: number;
}

/** A new connection for each GET. */
export interface ConnectWork {
  readonly kind: 'connect';
}

/**
 * GETs that start at fixed times, whatever becomes of those before: each waits for a free connection if none is, and its
 * latency counts from when it should have started.
 */
export interface FixedRateWork {
  readonly kind: 'fixed-rate';
  readonly perSecond: number;
}

export interface LoadResult {
  readonly count: number;
  readonly seconds: number;
  /** Of bodies received. */
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** CPU time of the load generator itself. */
  readonly loaderCpuUs: number;
  /** CPU time of each watched process, in the order of `watch`. */
  readonly watchedCpuUs: readonly number[];
  /** All that was sent and answered on the connections, warm-up included. */
  readonly countWithWarmUp: number;
}
