import { copyCounters } from '#agent/admin/sum-counters.ts';
import type { Address } from '#agent/config-types.ts';
import type { IdentityStore } from '#agent/identity/store.ts';
import type { LocalDataPath } from '#agent/local-data-path.ts';
import { unreachable } from '#runtime/result.ts';
import { toFaultMessage } from './fault-message.ts';
import { fromIdentityMessage } from './identity-message.ts';
import type { MainThreadTokens } from './main-thread-tokens.ts';
import { listenBeside, listenFirst } from './shared-listen.ts';
import type { CallName, Opened, WorkerCalls, WorkerMessage, WorkerRequest } from './worker-calls.ts';

export interface ServingParts {
  readonly dataPath: LocalDataPath;
  /** The one that the data path follows. */
  readonly store: IdentityStore;
  readonly mainTokens: MainThreadTokens;
  readonly post: (message: WorkerMessage) => void;
}

/** Does what the main thread asks, and answers. */
export async function serveCall(request: WorkerRequest, parts: ServingParts): Promise<void> {
  const { id } = request;
  try {
    parts.post({ kind: 'answer', id, value: await answer(request, parts) });
  } catch (error) {
    parts.post({ kind: 'fault', id, fault: toFaultMessage(error) });
  }
}

type Answer = WorkerCalls[CallName]['answer'];

async function answer(request: WorkerRequest, { dataPath, store, mainTokens }: ServingParts): Promise<Answer> {
  switch (request.call) {
    case 'identity':
      return void store.replace(fromIdentityMessage(request.argument));
    case 'workloads':
      dataPath.useWorkloads(request.argument);
      return undefined;
    case 'policies':
      dataPath.usePolicies(request.argument); // the main thread has told of any problem
      return undefined;
    case 'tokenKeys':
      dataPath.useTokenKeys(request.argument);
      return undefined;
    case 'token':
      mainTokens.take(request.argument.id, request.argument.result);
      return undefined;
    case 'open':
      return open(dataPath, request.argument);
    case 'report': {
      const { counters, connections } = await dataPath.report();
      return { counters: copyCounters(counters), connections };
    }
    case 'plaintextCallers':
      return dataPath.plaintextCallers();
    case 'decision':
      return dataPath.decision(request.argument);
    case 'ping':
      return undefined;
    case 'drain':
      dataPath.drain(request.argument);
      return undefined;
    case 'end':
      await dataPath.end();
      return undefined;
    default:
      return unreachable(request);
  }
}

async function open(dataPath: LocalDataPath, { side, addresses }: WorkerCalls['open']['argument']): Promise<Opened> {
  if (addresses !== undefined) return { listeners: await dataPath.open(side, listenBeside(addresses)), addresses };
  const opened: Address[] = [];
  const listeners = await dataPath.open(side, listenFirst(opened));
  return { listeners, addresses: opened };
}
