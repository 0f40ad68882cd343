import type { HttpConnection } from '#agent/http/service.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { FarEnd, OpenOpaque } from '#agent/protocol/far-end.ts';
import type { ProtocolServers } from '#agent/protocol/serve-detected.ts';
import { ok, refuse } from '#runtime/result.ts';
import { createFakeClock } from './fake-clock.ts';
import { createMemoryPipes } from './memory-pipe.ts';
import { createRecordingReader } from './recording-reader.ts';

/** A caller at one end, an app at the other, and servers that write down what they get. */
export function createDetectionStage({ only = 'any' }: { only?: 'any' | 'http' } = {}) {
  const clock = createFakeClock(0);
  const caller = createMemoryPipes({ delivery: 'manual' });
  const app = createMemoryPipes({ delivery: 'manual' });
  const served = createRecordingReader();
  const appSaw = createRecordingReader();
  const callerSaw = createRecordingReader();
  const story: string[] = [];
  const connection: HttpConnection = {
    drain: () => void story.push('drained'),
    destroy: () => void story.push('destroyed'),
  };
  const serve = (name: string) => (pipe: Pipe) => {
    story.push(name);
    pipe.reader = served;
    pipe.resume();
    return connection;
  };
  caller.a.reader = callerSaw;
  caller.a.resume();
  app.b.reader = appSaw;
  app.b.resume();
  let isRevoked = false;
  const farEnd: FarEnd = {
    pipe: app.a,
    join(pipe) {
      story.push('joined');
      pipe.reader = served;
      pipe.resume();
      app.a.reader = {
        onBytes: (bytes) => void pipe.write(bytes),
        onEnd: () => pipe.end(),
        onCut: () => pipe.cut(),
        onDrain: () => undefined,
      };
      app.a.resume();
      return connection;
    },
    letGo() {
      story.push('let go');
      app.a.end();
    },
    isRevoked: () => isRevoked,
  };
  let opened: Parameters<OpenOpaque>[0] | undefined;
  const servers: ProtocolServers = {
    clock,
    http: serve('http'),
    http2: serve('http2'),
    openOpaque:
      only === 'http'
        ? undefined
        : (onOpened) => {
            story.push('asked');
            opened = onOpened;
            return () => {
              if (opened) story.push('stopped asking');
              opened = undefined;
            };
          },
    firstMs: 10_000,
  };
  const deliver = (): void => {
    caller.deliver();
    app.deliver();
    caller.deliver();
  };
  return {
    clock,
    story,
    servers,
    served,
    appSaw,
    callerSaw,
    pipe: caller.b,
    app: app.b,
    deliver,
    say(text: string) {
      caller.a.writeText(text);
      deliver();
    },
    end() {
      caller.a.end();
      deliver();
    },
    leave() {
      caller.a.cut();
      deliver();
    },
    appSays(text: string) {
      app.b.writeText(text);
      deliver();
    },
    revoke() {
      isRevoked = true;
    },
    open(how: 'open' | 'away' = 'open') {
      const tell = opened;
      opened = undefined;
      tell?.(how === 'open' ? ok(farEnd) : refuse({ tell: () => void story.push('told') }));
      deliver();
    },
  };
}
