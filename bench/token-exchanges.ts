import type { MeshClient } from '#proto/mesh-client.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { startControlPlane } from './control-plane.ts';
import { joinAs, must } from './join-as.ts';
import type { Bench } from './parts/part.ts';
import { cpuMicroseconds } from './proc.ts';
import type { Rate } from './token-checks.ts';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const subjects = 2_000;
const inFlight = 16;
const deadlineMs = 10_000;

export interface ExchangeStage extends AsyncDisposable {
  /** Exchanges of one of 2,000 subject tokens each, 16 in flight; CPU is that of the control plane's process. */
  measure(ms: number): Promise<Rate>;
}

/** A control plane of its own, a workload with its callers' tokens, and what it exchanges them for. */
export async function stageExchanges(bench: Bench): Promise<ExchangeStage> {
  await using stack = new AsyncDisposableStack();
  const controlPlane = stack.use(await startControlPlane(bench.identities, bench));
  const idOf = (name: string): string => `spiffe://${bench.identities.trustDomain}/ns/default/sa/${name}`;
  await controlPlane.register([
    document('Service', idOf('prices'), { scopes: ['prices.read'] }),
    document('Service', idOf('ledger'), { scopes: ['prices.read'] }),
    document('Client', idOf('cart'), clientOf(idOf('prices'))),
    document('Client', idOf('prices'), clientOf(idOf('ledger'))),
  ]);
  const cart = await joinAs('cart', controlPlane, bench);
  stack.defer(() => cart.client.close());
  const { client } = await joinAs('prices', controlPlane, bench);
  stack.defer(() => client.close());
  const tokens: string[] = [];
  await inLines(async () => {
    while (tokens.length < subjects) tokens.push(await ask(cart.client, idOf('prices'), '', bench.signal));
  });
  const { pid } = controlPlane.running;
  const running = stack.move();
  return {
    async measure(ms) {
      const [startedMs, cpuBefore] = [systemClock.monotonic(), cpuMicroseconds(pid)];
      let count = 0;
      await inLines(async () => {
        while (systemClock.monotonic() < startedMs + ms) {
          count += 1;
          await ask(client, idOf('ledger'), tokens[count % subjects] ?? '', bench.signal);
        }
      });
      const tookMs = systemClock.monotonic() - startedMs;
      return { ops_per_s: (count / tookMs) * 1000, cpu_us_per_op: (cpuMicroseconds(pid) - cpuBefore) / count };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function document(kind: string, name: string, spec: object): string {
  const metadata = { name, tenant: 'bench' };
  return JSON.stringify({ apiVersion: 'eastwest.dev/v1', kind, metadata, spec: { ...spec, approval: 'none' } });
}

function clientOf(audience: string): object {
  const access = [{ audience, scopes: ['prices.read'] }];
  return { authentication: 'svid', grants: ['client_credentials', 'token_exchange'], access };
}

async function ask(client: MeshClient, audience: string, subjectToken: string, signal: AbortSignal): Promise<string> {
  const subjectTokenType = subjectToken === '' ? '' : accessToken;
  const request = { audience, scopes: [], subjectToken, subjectTokenType, requestedTokenType: '' };
  const answer = must(await client.exchangeToken(request, { deadlineMs, signal }));
  if (answer.kind === 'issued') return answer.token;
  throw new Error(`no token: ${answer.error}`);
}

async function inLines(line: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: inFlight }, line));
}
