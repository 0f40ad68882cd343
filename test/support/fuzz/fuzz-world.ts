import { startProcessPair, type ProcessPair } from '#support/process-pair.ts';
import {
  startNginxBackend,
  startNodeBackend,
  startPythonBackend,
  type RecordingBackend,
} from './recording-backends.ts';

export type BackendName = 'Node' | 'nginx' | 'Python';

/** Two agents with three backends behind them. */
export interface FuzzWorld extends AsyncDisposable {
  readonly pair: ProcessPair;
  behind(name: BackendName): { readonly backend: RecordingBackend; readonly port: number };
}

export async function startFuzzWorld(): Promise<FuzzWorld> {
  await using stack = new AsyncDisposableStack();
  const backends = {
    Node: stack.use(await startNodeBackend()),
    nginx: stack.use(await startNginxBackend()),
    Python: stack.use(await startPythonBackend()),
  };
  const names = ['Node', 'nginx', 'Python'] as const;
  const ports = names.map((name, index) => ({
    port: 7001 + index,
    app: backends[name].port,
    protocol: 'http' as const,
  }));
  const pair = stack.use(await startProcessPair({ ports }));
  const reached = await Promise.all(ports.map(({ port }) => pair.upstreamPort(port)));
  const all = stack.move();
  return {
    pair,
    behind: (name) => ({ backend: backends[name], port: reached[names.indexOf(name)]! }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
