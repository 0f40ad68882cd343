import { flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { floodLimit, type AgentEvent } from '#agent/events.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { createLocalDataPath } from '#agent/local-data-path.ts';
import { collectGarbage } from '#runtime/collect-garbage.ts';
import { limitLog } from '#runtime/log-limit.ts';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';
import { maxTokens, TokenCache } from '#agent/tokens/token-cache.ts';
import { toEventMessage } from './fault-message.ts';
import { MainThreadTokens } from './main-thread-tokens.ts';
import { serveCall } from './serve-calls.ts';
import type { WorkerMessage, WorkerRequest, WorkerStart } from './worker-calls.ts';

/** The edge of a worker thread: the data part of an agent on an event loop of its own, as the main thread asks. */
const port = parentPort;
if (port === null) throw new Error('this is the inside of an agent’s worker');
const { config, worker } = workerData as WorkerStart;
const post = (message: WorkerMessage): void => port.postMessage(message);
const store = createIdentityStore();
// Thinned out here already: a flood must not fill the main thread's queue.
const emit = limitLog<AgentEvent>((event) => post({ kind: 'event', event: toEventMessage(event) }), {
  ...floodLimit,
  clock: systemClock,
});
const mainTokens = new MainThreadTokens(post);
const tokens = new TokenCache({
  ask: mainTokens.ask,
  clock: systemClock,
  random: systemRandom,
  onFailed: () => undefined, // the main thread, which asks issuers, tells
  maxTokens,
});
const parts = {
  config,
  tokens,
  worker: { worker, of: config.workers },
  store,
  emit,
  clock: systemClock,
  random: systemRandom,
  onKeysWanted: (issuer: string) => post({ kind: 'keys-wanted', issuer }),
  collect: collectGarbage,
};
const serving = { dataPath: createLocalDataPath(parts), store, mainTokens, post };

port.on('message', (request: WorkerRequest) => {
  void serveCall(request, serving).then(() => {
    if (request.call === 'open') flushCompileCache();
  });
});
