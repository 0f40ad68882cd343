import { resolve } from 'node:path';
import type { ToldCallers } from '#agent/admin/told-callers.ts';
import { isPortRecord } from '#agent/plaintext/kept-ledger.ts';
import { UsageError, type Arguments, type Edge, type Run } from '#cli/edge.ts';
import { errorText } from '#cli/errors.ts';
import { allPrintable, printable } from '#cli/printable.ts';
import { readAgentSockets } from '#cli/status.ts';
import { isoTime, parseDuration } from '#cli/time-text.ts';
import { getJson } from '#cli/unix-http.ts';
import { answerOf, judgeAgent, type JudgedPort } from './judge.ts';
import { strictDocuments } from './strict-documents.ts';
import { checkedText, type Checked } from './text.ts';

const defaultForMs = 24 * 3_600_000;
const deadlineMs = 5_000;
/** A ledger that is full: a thousand callers with their examples. */
const maxBytes = 4 * 1024 * 1024;
const exitCodes = { safe: 0, breaks: 1, unknown: 2 } as const;

/** `eastwest strict-check`: whether every port may become strict, and who would break. What goes wrong is exit code 2. */
export const run: Run = async (args, edge) => {
  const forMs = wantedMs(args);
  try {
    const checked = await check(args, edge, forMs);
    edge.stdout.write(args.flags.has('json') ? `${JSON.stringify(forScripts(checked))}\n` : checkedText(checked));
    return exitCodes[checked.answer];
  } catch (error) {
    if (error instanceof UsageError) throw error;
    edge.stderr.write(errorText(error)); // 1 would say that somebody breaks
    return exitCodes.unknown;
  }
};

function wantedMs({ values }: Arguments): number {
  const text = values['for'];
  const ms = text === undefined ? defaultForMs : parseDuration(text);
  if (ms === undefined) throw new UsageError(`--for ${text} is no time`, 'write 30m, 24h or 168h');
  return ms;
}

async function check(args: Arguments, edge: Edge, forMs: number): Promise<Checked> {
  const answers = await Promise.all(
    Object.entries(await socketsOf(args, edge)).map(async ([name, socket]) => {
      const bounds = { deadlineMs, maxBytes, clock: edge.clock };
      const told = await getJson(socket, '/plaintext-callers', bounds).catch(() => undefined);
      return { name: printable(name), told: isTold(told) ? allPrintable(told) : undefined };
    }),
  );
  const agents = answers.flatMap(({ told }) => (told === undefined ? [] : [judgeAgent(told, forMs)]));
  const unanswered = answers.filter(({ told }) => told === undefined).map(({ name }) => name);
  return { answer: answerOf(agents, unanswered), forMs, agents, unanswered, documents: strictDocuments(agents) };
}

/** By the name under which an agent is told about. */
async function socketsOf(args: Arguments, edge: Edge): Promise<Readonly<Record<string, string>>> {
  const named = args.lists['agent'];
  if (named === undefined) return readAgentSockets(args, edge);
  return Object.fromEntries(named.map((socket) => [socket, resolve(edge.cwd, socket)]));
}

/** Of an agent of another version perhaps: what cannot be read is no answer. */
function isTold(value: unknown): value is ToldCallers {
  if (typeof value !== 'object' || value === null) return false;
  const { workload, spiffeId, nowMs, document, ports, unobserved, mtlsOnly } = value as Readonly<
    Record<string, unknown>
  >;
  return (
    typeof workload === 'string' &&
    (spiffeId === null || typeof spiffeId === 'string') &&
    Number.isFinite(nowMs) &&
    (document === null || typeof document === 'string') &&
    Array.isArray(ports) &&
    ports.every(isPortRecord) &&
    arePorts(unobserved) &&
    arePorts(mtlsOnly)
  );
}

function arePorts(value: unknown): boolean {
  return Array.isArray(value) && value.every(Number.isSafeInteger);
}

function forScripts({ answer, forMs, agents, unanswered, documents }: Checked): object {
  return {
    answer,
    forMs,
    agents: agents.map(({ told: { workload, spiffeId, nowMs, unobserved, mtlsOnly }, ports }) => ({
      ...{ workload, spiffeId, time: isoTime(nowMs), unobserved, mtlsOnly },
      ports: ports.map(portForScripts),
    })),
    unanswered,
    documents,
  };
}

function portForScripts({ record, verdict, refused }: JudgedPort): object {
  const { port, mode, sinceMs, callers, overflow, peers } = record;
  return {
    ...{ port, mode, since: isoTime(sinceMs), verdict: verdict.kind },
    ...(verdict.kind === 'unknown' && { why: verdict.why }),
    wouldBreak: verdict.kind === 'breaks' ? verdict.callers : [],
    refused,
    ...{ callers, overflow, peers },
  };
}
