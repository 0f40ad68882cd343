import { startProcessPair, type PairSettings, type ProcessPair } from '#support/process-pair.ts';

const names = ['Node', 'nginx', 'Python'] as const;
export type BackendName = (typeof names)[number];

interface Backend extends AsyncDisposable {
  readonly port: number;
}

/** Two agents with three backends behind them. */
export interface FuzzWorld<B> extends AsyncDisposable {
  readonly pair: ProcessPair;
  /** `port`: where the caller's app reaches it. */
  behind(name: BackendName): { readonly backend: B; readonly port: number };
}

export async function startFuzzWorld<B extends Backend>(
  start: Readonly<Record<BackendName, () => Promise<B>>>,
  settings: Omit<PairSettings, 'ports'> = {},
): Promise<FuzzWorld<B>> {
  await using stack = new AsyncDisposableStack();
  const backends = {
    Node: stack.use(await start.Node()),
    nginx: stack.use(await start.nginx()),
    Python: stack.use(await start.Python()),
  };
  const ports = names.map((name, index) => ({
    port: 7001 + index,
    app: backends[name].port,
    protocol: 'http' as const,
  }));
  const pair = stack.use(await startProcessPair({ ...settings, ports }));
  const reached = await Promise.all(ports.map(({ port }) => pair.upstreamPort(port)));
  const all = stack.move();
  return {
    pair,
    behind: (name) => ({ backend: backends[name], port: reached[names.indexOf(name)]! }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
