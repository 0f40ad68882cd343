import { Fault } from '#runtime/fault.ts';
import { explanationText } from '#policy/explain-text.ts';
import type { Explanation } from '#policy/explain.ts';
import type { Arguments, Edge } from './edge.ts';
import { printableLines } from './printable.ts';
import { readAgentSockets } from './status.ts';
import { isoTime } from './time-text.ts';
import { getJson } from './unix-http.ts';

/** What an agent answers to `GET /decisions/ID` on its admin socket. */
interface Told {
  readonly decisionId: string;
  readonly atMs: number;
  readonly reason: string;
  readonly rule?: string;
  readonly explanation: Explanation;
}

/** `eastwest explain DECISION-ID`: why a running agent refused that call, by the rules as they stood. */
export async function explainDecision(id: string, args: Arguments, edge: Edge): Promise<number> {
  const named = args.lists['agent'];
  const sockets = named ?? Object.values(await readAgentSockets(args, edge));
  const answers = await Promise.all(
    sockets.map((socket) =>
      getJson(socket, `/decisions/${encodeURIComponent(id)}`, { deadlineMs: 5_000, clock: edge.clock }).catch(
        () => undefined,
      ),
    ),
  );
  const told = answers.find((answer) => answer !== undefined) as Told | undefined;
  if (told === undefined) {
    throw new Fault('NO_DECISION', `no agent knows the decision ${id}`, {
      hint: 'agents keep the last 1,000 that rules made, until they end; others are in their logs. Name the agent that refused: --agent SOCKET',
    });
  }
  if (args.flags.has('json')) edge.stdout.write(`${JSON.stringify(told)}\n`);
  else edge.stdout.write(printableLines(`${headText(told)}${explanationText(told.explanation)}`));
  return 1;
}

function headText({ decisionId, atMs, reason, rule }: Told): string {
  return `${decisionId}, ${isoTime(atMs)}: ${reason}${rule === undefined ? '' : ` (${rule})`}\n\n`;
}
