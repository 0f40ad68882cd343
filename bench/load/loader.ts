import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Job, LoadResult } from './job.ts';
import type { LoaderAnswer, LoaderOrder } from './orders.ts';

/** The load generator: one process for all subjects of a part, so that all meet it equally warm. */
export interface Loader extends Disposable {
  readonly pid: number;
  /** Throws when a single request failed: then no figure counts. */
  run(job: Job): Promise<LoadResult>;
  /** Idle connections; disposing the result ends them. */
  hold(port: number, connections: number): Promise<AsyncDisposable>;
}

type Unnumbered<Order> = Order extends { readonly id: number } ? Omit<Order, 'id'> : never;

export function startLoader(signal: AbortSignal): Loader {
  const child = fork(join(import.meta.dirname, 'main.ts'), [], {
    execArgv: ['--conditions=source'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, PromiseWithResolvers<LoadResult | undefined>>();
  const failAll = (why: Error): void => {
    for (const each of waiting.values()) each.reject(why);
  };
  const onAbort = (): void => {
    child.kill();
    failAll(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort);
  child.on('exit', (code, by) => failAll(new Error(`the load generator ended with ${code ?? by}`)));
  child.on('message', (answer: LoaderAnswer) => {
    const order = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.ok) order?.resolve(answer.result);
    else order?.reject(new Error(answer.why));
  });
  let orders = 0;
  const send = async (order: Unnumbered<LoaderOrder>): Promise<{ id: number; result: LoadResult | undefined }> => {
    signal.throwIfAborted();
    orders += 1;
    const id = orders;
    const answered = Promise.withResolvers<LoadResult | undefined>();
    waiting.set(id, answered);
    child.send({ ...order, id });
    return { id, result: await answered.promise };
  };
  return {
    pid: child.pid ?? 0,
    async run(job) {
      const { result } = await send({ kind: 'run', job });
      if (result === undefined) throw new Error('the load generator told no result');
      return result;
    },
    async hold(port, connections) {
      const { id: held } = await send({ kind: 'hold', port, connections });
      return { [Symbol.asyncDispose]: async () => void (await send({ kind: 'release', held })) };
    },
    [Symbol.dispose]() {
      signal.removeEventListener('abort', onAbort);
      child.disconnect();
    },
  };
}
