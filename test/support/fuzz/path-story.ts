import fc from 'fast-check';
import { expect } from 'vitest';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { normalizePath } from '#policy/path.ts';
import { ask, http2Client } from '#support/h2-apps.ts';
import { send } from '#support/pair-world.ts';
import { startFuzzWorld, type BackendName, type FuzzWorld } from './fuzz-world.ts';
import { pathBackends, type PathBackend } from './path-backends.ts';
import { pathCases, type PathCase } from './path-cases.ts';

/** What the agent of the workload that is called decided, by its access log. */
interface Decided {
  readonly path: string;
  readonly status: number;
  readonly outcome: string;
}

export interface PathWorld extends FuzzWorld<PathBackend> {
  /** By the trace of each request. */
  decisions(): ReadonlyMap<string, Decided>;
}

export async function startPathWorld(): Promise<PathWorld> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-paths-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const accessLog = join(folder, 'access.log');
  const world = stack.use(await startFuzzWorld(pathBackends, { accessLog }));
  const all = stack.move();
  return {
    ...world,
    decisions: () => {
      const lines = readFileSync(accessLog, 'utf8').split('\n').slice(0, -1);
      const decided = lines.map((line) => JSON.parse(line) as Decided & { readonly traceId?: string });
      return new Map(decided.map((one) => [one.traceId ?? '', one]));
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

export interface PathStory {
  /** How many spellings are sent. */
  readonly cases: number;
  readonly seed: number;
  /** Side by side. */
  readonly abreast: number;
}

export interface PathFigures {
  readonly delivered: number;
  /** Of these, to another spelling than the caller's. */
  readonly rewritten: number;
  readonly refused: number;
}

interface Answered extends PathCase {
  readonly status: number;
  readonly body: string;
  /** Named by the agent that answered; undefined where the backend did. */
  readonly decisionId: string | undefined;
}

/**
 * Sends generated spellings of paths through both agents to a backend. Each is refused by an agent, or delivered exactly as
 * the callee's agent decided on it. Decoded once, the path that was decided on is the resource that the backend finds, and
 * the one that a URL parser (WHATWG) finds in the caller's spelling, once its slashes are merged.
 */
export async function pathStory(world: PathWorld, name: BackendName, story: PathStory): Promise<PathFigures> {
  const { cases, seed, abreast } = story;
  const answers = new Map<string, Answered>();
  using caller = openCaller(world.behind(name).port);
  const run = async (one: PathCase): Promise<void> => {
    const traceId = randomBytes(16).toString('hex');
    answers.set(traceId, { ...one, ...(await caller.ask(one, traceId)) });
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(pathCases, { minLength: abreast, maxLength: abreast }),
      async (several) => void (await Promise.all(several.map(run))),
    ),
    { seed, numRuns: Math.ceil(cases / abreast), endOnFailure: true, markInterruptAsFailure: false },
  );
  const delivered = [...answers].filter(([, { status }]) => status === 200);
  const lacking = (): number => {
    const decisions = world.decisions();
    return delivered.filter(([traceId]) => !decisions.has(traceId)).length;
  };
  await expect.poll(lacking, { timeout: 10_000, message: 'requests that the access log lacks' }).toBe(0);
  const decisions = world.decisions();
  for (const [traceId, answered] of answers) checkAnswer(answered, decisions.get(traceId));
  const rewritten = delivered.filter(([traceId, { target }]) => decisions.get(traceId)!.path !== pathOf(target)).length;
  return { delivered: delivered.length, rewritten, refused: answers.size - delivered.length };
}

function checkAnswer(answered: Answered, decided: Decided | undefined): void {
  const { target, status, body } = answered;
  const told = JSON.stringify({ answered, decided });
  const judged = normalizePath(pathOf(target));
  if (status !== 200) {
    expect(judged.ok, `refused for nothing: ${told}`).toBe(false);
    expect(status, told).toBe(400);
    expect(answered.decisionId, `refused by the backend: ${told}`).toBeDefined();
    expect(decided?.outcome ?? 'denied', told).toBe('denied');
    return;
  }
  const [delivered, resource] = [body.slice(0, body.indexOf('\n')), body.slice(body.indexOf('\n') + 1)];
  const path = decided?.path ?? '';
  expect(judged, `another path than a policy would judge: ${told}`).toEqual({ ok: true, value: path });
  expect(delivered, `delivered otherwise than decided: ${told}`).toBe(path + queryOf(target));
  expect(resource, `taken for another resource: ${told}`).toBe(decodeURIComponent(path));
  const meant = new URL(pathOf(target).replaceAll(/\/+/g, '/'), 'http://prices').pathname;
  expect(decodeURIComponent(path), `another resource than the caller’s: ${told}`).toBe(decodeURIComponent(meant));
}

function pathOf(target: string): string {
  const at = target.indexOf('?');
  return at < 0 ? target : target.slice(0, at);
}

const queryOf = (target: string): string => target.slice(pathOf(target).length);

interface Caller extends Disposable {
  ask(one: PathCase, traceId: string): Promise<Pick<Answered, 'status' | 'body' | 'decisionId'>>;
}

/** Keeps its connections, as far as they are kept. */
function openCaller(port: number): Caller {
  const agent = new Agent({ keepAlive: true });
  const session = http2Client(port);
  return {
    async ask({ target, version }, traceId) {
      const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
      const reply =
        version === 'HTTP/1.1'
          ? await send(port, { path: target, headers: { ...headers, host: 'prices' }, agent })
          : await ask(session, { ':path': target, ':authority': 'prices', ...headers });
      const decisionId = reply.headers['x-eastwest-decision'];
      return { status: reply.status, body: reply.body, decisionId: decisionId as string | undefined };
    },
    [Symbol.dispose]() {
      agent.destroy();
      session.destroy();
    },
  };
}
