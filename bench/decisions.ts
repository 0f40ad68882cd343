import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { compilePolicies, type CompiledPolicy } from '#policy/compile.ts';
import { decide } from '#policy/decide.ts';
import { toPolicy } from '#policy/documents.ts';
import type { Call } from '#policy/model.ts';
import type { Result } from '#runtime/result.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { percentile } from './statistics.ts';

const rulesEach = 10;
const routes = 1000;
const callsInBatch = 100;

/** Rules of the same kinds for each caller, and calls of theirs: three of four are admitted. */
export interface DecisionStage {
  readonly policy: CompiledPolicy;
  readonly calls: readonly Call[];
}

/** Half of the rules name a path, half of them a template. */
export function stageDecisions(ruleCount: number): DecisionStage {
  const callers = Array.from({ length: ruleCount / rulesEach }, (_, index) => spiffeId(`caller-${index}`));
  const rules = callers.flatMap((caller, callerIndex) =>
    Array.from({ length: rulesEach }, (_, index) => ({
      from: [{ source: { principals: [caller] } }],
      to: [{ operation: { methods: ['GET', 'POST'], paths: [routeOf(callerIndex, index)] } }],
    })),
  );
  const document = must(
    toPolicy({
      apiVersion: 'eastwest.dev/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'bench', namespace: 'bench' },
      spec: { rules },
    }),
  );
  const workload = { trustDomain: 'bench.example', namespace: 'bench', name: 'app', labels: {}, ports: undefined };
  const policy = must(compilePolicies([document], workload));
  const calls = Array.from({ length: 4_000 }, (_, index): Call => {
    const callerIndex = (index * 7) % callers.length;
    const route = routeOf(callerIndex, index % rulesEach)
      .replace('{group}', `g${index}`)
      .replace('{document}', 'd');
    const path = index % 4 === 3 ? `${route}/more` : route;
    const http = { method: 'GET', path, host: 'app.example', header: () => [] };
    return { principal: callers[callerIndex], port: 8080, http };
  });
  return { policy, calls };
}

/** What a caller's n-th rule is about: one of as many routes as an app may have. */
function routeOf(caller: number, rule: number): string {
  const number = (caller * rulesEach + rule) % routes;
  return rule % 2 === 0 ? `/api/v${number}/list` : `/api/v${number}/groups/{group}/documents/{document}`;
}

/** Microseconds per decision at p50: of batches, since the clock itself costs as much as a decision. */
export function measureDecisions({ policy, calls }: DecisionStage, ms: number): number {
  const each: number[] = [];
  const untilMs = systemClock.monotonic() + ms;
  let allowed = 0;
  let at = 0;
  for (let startedMs = systemClock.monotonic(); startedMs < untilMs;) {
    for (let count = 0; count < callsInBatch; count += 1) {
      if (decide(policy, calls[at]!).allow) allowed += 1;
      at = (at + 1) % calls.length;
    }
    const doneMs = systemClock.monotonic();
    each.push(((doneMs - startedMs) * 1000) / callsInBatch);
    startedMs = doneMs;
  }
  const share = allowed / (each.length * callsInBatch);
  if (share < 0.7 || share > 0.8) throw new Error(`admitted ${share} of the calls instead of three quarters`);
  return percentile(each, 0.5);
}

function spiffeId(account: string): SpiffeId {
  return must(parseSpiffeId(`spiffe://bench.example/ns/bench/sa/${account}`));
}

function must<T>(result: Result<T, unknown>): T {
  if (result.ok) return result.value;
  throw new Error(`refused: ${JSON.stringify(result.reason)}`);
}
