import type { H2SessionHandler } from '#agent/h2/types.ts';
import { serveH2 } from '#agent/http/h2/h2-server.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import { createStage, type Stage } from './fake-exchange.ts';
import { FakeSession, FakeStream } from './fake-stream.ts';
import { fieldsOf } from './fields-of.ts';

export const get = ':method: GET|:scheme: http|:authority: shop.test|:path: /prices';
export const post = ':method: POST|:scheme: http|:authority: shop.test|:path: /orders';
export const call = `${post}|content-type: application/grpc|te: trailers`;

export interface ServerStage extends Stage {
  readonly session: FakeSession;
  readonly connection: HttpConnection;
  readonly handler: H2SessionHandler;
  /** A request whose head ends it unless `ending` says `later`. */
  open(text: string, ending?: 'later', stream?: FakeStream): FakeStream;
}

/** A session without a wire, served for a stage. */
export function serve(stage: Stage = createStage()): ServerStage {
  const session = new FakeSession();
  let handler!: H2SessionHandler;
  const connection = serveH2((given) => {
    handler = given;
    return session;
  }, stage.service);
  return {
    ...stage,
    session,
    connection,
    handler,
    open(text, ending, stream = new FakeStream()) {
      session.openStreams += 1;
      handler.onStream(stream);
      stream.handler.onHeaders(fieldsOf(text), ending === undefined);
      return stream;
    },
  };
}

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
