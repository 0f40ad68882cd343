import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { messageOf } from '#runtime/error-lines.ts';
import type { WorkerMessage, WorkerRequest, WorkerStart } from './worker-calls.ts';

/** A thread that was started, as bare as it is: messages in, messages out, and its end. */
export interface WorkerThread {
  send(request: WorkerRequest): void;
  /** Ends it at once; `onEnded` is not called any more. */
  terminate(): Promise<void>;
}

export interface WorkerThreadOwner {
  onMessage(message: WorkerMessage): void;
  /** It ended by itself, whatever for. Comes once. */
  onEnded(why: string): void;
}

export type StartThread = (start: WorkerStart, owner: WorkerThreadOwner) => WorkerThread;

/** Starts `worker-main` in a thread of this process. */
export const startThread: StartThread = (start, owner) => {
  const own = import.meta.url;
  const thread = new Worker(new URL(`worker-main${extname(fileURLToPath(own))}`, own), {
    name: `worker ${start.worker}`,
    workerData: start,
  });
  let isOver = false;
  const ended = (why: string): void => {
    if (!isOver) owner.onEnded(why);
    isOver = true;
  };
  thread.on('message', (message: WorkerMessage) => owner.onMessage(message));
  thread.on('error', (error) => ended(messageOf(error)));
  thread.on('exit', (code) => ended(`exit code ${code}`));
  return {
    send: (request) => thread.postMessage(request),
    async terminate() {
      isOver = true;
      await thread.terminate();
    },
  };
};
