import { problemAnswer } from '#agent/http/answers.ts';
import type { Deadlines } from '#agent/http/deadlines.ts';
import { serveH1 } from '#agent/http/h1-server.ts';
import type { RequestHead } from '#agent/http/head.ts';
import type { Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import type { HttpConnection, HttpService, MessageLimits, RequestReport } from '#agent/http/service.ts';
import { originForm } from '#agent/http/target.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import type { InboundCaller, Proof } from '#agent/inbound/inbound-caller.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { ok, refuse } from '#runtime/result.ts';
import type { Clock } from '#runtime/clock.ts';
import { createMemoryPipes } from './memory-pipe.ts';

export const stageLimits: MessageLimits = {
  head: { maxBytes: 65_536, maxHeaders: 200 },
  body: { maxTrailerBytes: 16_384, maxTrailers: 100 },
};

/** What an app answers: at once, or when the test says so. */
export interface StageReply {
  send(text: string): void;
  /** Bytes of a body that goes on. */
  begin(lengthBytes: number): ResponseSink<never>;
}

/** An app behind a serving end; every part of it may be left out. */
export interface StageApp {
  /** Answers with the workload's name when not given. */
  http?: (path: string, reply: StageReply) => void;
  /** Gets opaque streams; they echo when not given. A status: they are refused. */
  opaque?: ((pipe: Pipe) => void) | number;
  /** Gets connections that are no tunnels. */
  foreign?: (pipe: Pipe) => void;
  /** Requests so far, with the caller's certificate serial. */
  seen?: { readonly path: string; readonly serialHex: string }[];
}

export interface StageParts {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly proof: Proof;
  readonly workload: string;
}

export function stageCaller(app: StageApp, parts: StageParts): InboundCaller {
  const service = stageService(app, parts);
  return {
    http2: service,
    serve: (pipe) => serveH1(pipe, service),
    isOpaque: ({ protocol }) => protocol === 'tcp',
    openOpaque(_port, onOpened) {
      const { opaque = echo } = app;
      if (typeof opaque === 'number') onOpened(refuse({ tell: () => problemAnswer(opaque, 'refused') }));
      else
        onOpened(
          ok({
            pipe: createMemoryPipes().a,
            join: (pipe: Pipe) => joined(pipe, opaque),
            letGo: () => undefined,
            isRevoked: () => false,
          }),
        );
      return () => undefined;
    },
    refuse: (reason) => problemAnswer(refusalStatus[reason], reason),
    close: () => undefined,
  };
}

const refusalStatus = { 'bad-target': 400, 'no-such-port': 404, 'peer-svid-expired': 401 } as const;

function joined(pipe: Pipe, opaque: (pipe: Pipe) => void): HttpConnection {
  opaque(pipe);
  return { drain: () => undefined, destroy: () => pipe.cut() };
}

/** Sends everything back, as fast as it is read. */
function echo(pipe: Pipe): void {
  pipe.reader = {
    onBytes: (bytes) => void (pipe.write(bytes) || pipe.pause()),
    onEnd: () => pipe.end(),
    onCut: () => undefined,
    onDrain: () => pipe.resume(),
  };
  pipe.resume();
}

function stageService(app: StageApp, { clock, deadlines, proof, workload }: StageParts): HttpService<never> {
  const upstream: Upstream<never> = {
    start(request, response) {
      app.seen?.push({ path: request.target, serialHex: 'svid' in proof.peer ? proof.peer.svid.serialHex : '' });
      const reply = replyTo(response);
      if (app.http) app.http(request.target, reply);
      else reply.send(workload);
      return deafSink;
    },
    close: () => undefined,
  };
  return {
    clock,
    deadlines,
    limits: stageLimits,
    times: { firstMs: 300_000, headMs: 10_000, idleMs: 300_000, stallMs: 300_000 },
    admit: (head) => ({ kind: 'forward', request: forwarded(head), upstream, report }),
    refused: (reason) => problemAnswer(400, reason),
    closed: () => undefined,
  };
}

function forwarded(head: RequestHead): Forwarded {
  const headers = endToEndHeaders(head.headers);
  if (!headers.ok) throw new Error(headers.reason);
  return { head, target: originForm(head), headers: headers.value, filterFields: stripReserved, written: undefined };
}

function replyTo(response: ResponseSink<never>): StageReply {
  const begin = (bytes: number): ResponseSink<never> => {
    response.head(
      {
        status: 200,
        reason: 'OK',
        version: '1.1',
        headers: [],
        framing: { kind: 'length', bytes },
        keepAlive: true,
        upgrade: undefined,
        keepAliveTimeoutSeconds: undefined,
      },
      [],
    );
    return response;
  };
  return {
    begin,
    send(text) {
      const bytes = Buffer.from(text, 'latin1');
      begin(bytes.length);
      if (bytes.length > 0) response.data(bytes);
      response.end([]);
    },
  };
}

const deafSink: RequestSink = {
  data: () => true,
  end: () => undefined,
  abort: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
};

const report: RequestReport<never> = {
  unreachable: () => problemAnswer(503, 'unreachable'),
  failed: () => problemAnswer(502, 'failed'),
  finished: () => undefined,
  upgraded: () => undefined,
  upgradeEnded: () => undefined,
};
