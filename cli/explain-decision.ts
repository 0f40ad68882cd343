import { errorLines, messageOf } from '#runtime/error-lines.ts';
import { Fault } from '#runtime/fault.ts';
import { explanationText } from '#policy/explain-text.ts';
import type { Explanation } from '#policy/explain.ts';
import type { Arguments, Edge } from './edge.ts';
import { allPrintable } from './printable.ts';
import { readAgentSockets } from './status.ts';
import { isoTime } from './time-text.ts';
import { getJson } from './unix-http.ts';

/** What an agent answers to `GET /decisions/ID` on its admin socket. */
interface Told {
  readonly decisionId: string;
  readonly atMs: number;
  readonly reason: string;
  readonly rule?: string;
  readonly token?: string;
  readonly explanation: Explanation;
}

const deadlineMs = 5_000;
/** An explanation names every rule that was considered: it may be longer than all policies of the mesh. */
const maxBytes = 32 * 1024 * 1024;
/** So many agents that did not answer are named. */
const maxSilentTold = 5;

/** `eastwest explain DECISION-ID`: why a running agent refused that call, by the rules as they stood. */
export async function explainDecision(id: string, args: Arguments, edge: Edge): Promise<number> {
  let told: Told;
  try {
    const sockets = args.lists['agent'] ?? Object.values(await readAgentSockets(args, edge));
    told = await askAll(sockets, id, edge);
  } catch (error) {
    edge.stderr.write(errorLines(error)); // 1 would say that it was refused
    return 2;
  }
  if (args.flags.has('json')) edge.stdout.write(`${JSON.stringify(told)}\n`);
  else edge.stdout.write(textOf(allPrintable(told)));
  return 1;
}

/** Whoever knows it first: nobody waits for the others. Throws `Fault` NO_DECISION, with those that did not answer. */
async function askAll(sockets: readonly string[], id: string, { clock }: Edge): Promise<Told> {
  const found = new AbortController();
  const path = `/decisions/${encodeURIComponent(id)}`;
  const bounds = { deadlineMs, maxBytes, signal: found.signal, clock };
  try {
    return (await Promise.any(sockets.map((socket) => getJson(socket, path, bounds)))) as Told;
  } catch (error) {
    const silent = (error as AggregateError).errors.filter(({ code }: Fault) => code !== 'NOT_FOUND') as Fault[];
    throw noDecision(id, silent);
  } finally {
    found.abort();
  }
}

function noDecision(id: string, silent: readonly Fault[]): Fault {
  if (silent.length === 0) {
    const hint =
      'agents keep the last 1,000 that rules made, until they end; others are in their logs. Name the agent that refused: --agent SOCKET';
    return new Fault('NO_DECISION', `no agent knows the decision ${id}`, { hint });
  }
  const lines = silent.slice(0, maxSilentTold).map(({ message, cause }) => `${message}: ${messageOf(cause)}`);
  const more = silent.length > maxSilentTold ? [`and ${silent.length - maxSilentTold} others`] : [];
  const text = [`no agent that answered knows the decision ${id}`, ...lines, ...more].join('\n');
  return new Fault('NO_DECISION', text, { hint: 'name the agent that refused: --agent SOCKET, its `admin.socket`' });
}

function textOf({ decisionId, atMs, reason, rule, token, explanation }: Told): string {
  const why = rule ?? token;
  const head = `${decisionId}, ${isoTime(atMs)}: ${reason}${why === undefined ? '' : ` (${why})`}`;
  return `${head}\n\n${explanationText(explanation)}`;
}
