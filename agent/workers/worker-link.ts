import { Fault } from '#runtime/fault.ts';
import type { AgentEmit } from '#agent/events.ts';
import type { AgentConfig } from '#agent/config-types.ts';
import type { AskToken } from '#agent/tokens/kept-token.ts';
import { fromFaultMessage } from './fault-message.ts';
import type { CallName, WorkerCalls, WorkerMessage, WorkerRequest } from './worker-calls.ts';
import type { StartThread, WorkerThread, WorkerThreadOwner } from './worker-thread.ts';

export interface WorkerLinkParts {
  /** Of this worker. */
  readonly config: AgentConfig;
  readonly startThread: StartThread;
  readonly emit: AgentEmit;
  readonly onKeysWanted: (issuer: string) => void;
  /** Gets tokens for the worker. */
  readonly askToken: AskToken;
  /** It ended by itself. Comes once. */
  readonly onEnded: (fault: Fault) => void;
}

interface Waiting {
  resolve(value: WorkerCalls[CallName]['answer']): void;
  reject(fault: Fault): void;
}

/** One worker as the main thread asks it. */
export class WorkerLink implements WorkerThreadOwner {
  /** Counts from 1. */
  readonly worker: number;
  readonly #parts: WorkerLinkParts;
  readonly #thread: WorkerThread;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #ended: Fault | undefined;

  constructor(worker: number, parts: WorkerLinkParts) {
    this.worker = worker;
    this.#parts = parts;
    this.#thread = parts.startThread({ worker, config: parts.config }, this);
  }

  /** Rejects with the fault of the call, or with the worker's end. */
  call<Name extends CallName>(
    call: Name,
    argument: WorkerCalls[Name]['argument'],
  ): Promise<WorkerCalls[Name]['answer']> {
    if (this.#ended) return Promise.reject(this.#ended);
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<WorkerCalls[CallName]['answer']>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    this.#thread.send({ id, call, argument } as WorkerRequest); // name and argument belong together, as the signature says
    return answer as Promise<WorkerCalls[Name]['answer']>;
  }

  async terminate(): Promise<void> {
    this.#end(new Fault('WORKER_ENDED', `worker ${this.worker} was ended`));
    await this.#thread.terminate();
  }

  onMessage(message: WorkerMessage): void {
    if (message.kind === 'event') return this.#parts.emit(message.event);
    if (message.kind === 'keys-wanted') return this.#parts.onKeysWanted(message.issuer);
    if (message.kind === 'token-wanted') return this.#getToken(message);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === 'answer') waiting?.resolve(message.value);
    else waiting?.reject(fromFaultMessage(message.fault));
  }

  #getToken({ id, thumbprint, wish }: WorkerMessage & { readonly kind: 'token-wanted' }): void {
    const answered = this.#parts.askToken(thumbprint, wish).then((result) => this.call('token', { id, result }));
    answered.catch(() => undefined); // the worker has ended, which is told elsewhere
  }

  onEnded(why: string): void {
    const fault = new Fault('WORKER_ENDED', `worker ${this.worker} ended by itself: ${why}`);
    this.#end(fault);
    this.#parts.onEnded(fault);
  }

  #end(fault: Fault): void {
    this.#ended ??= fault;
    for (const { reject } of this.#waiting.values()) reject(fault);
    this.#waiting.clear();
  }
}
