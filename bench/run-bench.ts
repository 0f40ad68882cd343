import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#runtime/system-clock.ts';
import type { Wish } from './arguments.ts';
import { writeCertificates } from './certificates.ts';
import { emptyCompileCache } from './compile-cache.ts';
import { bulk } from './parts/bulk.ts';
import { connections } from './parts/connections.ts';
import { grpc } from './parts/grpc.ts';
import { hairpin } from './parts/hairpin.ts';
import { http } from './parts/http.ts';
import { issue } from './parts/issue.ts';
import { memory } from './parts/memory.ts';
import type { Gap, Part } from './parts/part.ts';
import { policy } from './parts/policy.ts';
import { start } from './parts/start.ts';
import { tail } from './parts/tail.ts';
import { tcp } from './parts/tcp.ts';
import { tokens } from './parts/tokens.ts';
import { watchOthers } from './proc.ts';
import { missingProgram, versionOf } from './programs.ts';
import { performanceChart } from './report/performance-chart.ts';
import { jsonLines, partSection, performanceDocument, type PartResult } from './report/report.ts';
import { subjects } from './subjects.ts';
import { eastwest } from './subjects/eastwest.ts';
import { envoyHttp1 } from './subjects/envoy.ts';

export const parts: readonly Part[] = [
  http,
  grpc,
  tcp,
  bulk,
  connections,
  tail,
  memory,
  policy,
  hairpin,
  start,
  issue,
  tokens,
];

const documents = join(import.meta.dirname, '..', 'docs');

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

/** `incomplete`: Eastwest itself could not be measured somewhere. */
export async function runBench(wish: Wish, signal: AbortSignal): Promise<'complete' | 'incomplete'> {
  const wanted = parts.filter(({ name }) => wish.only.length === 0 || wish.only.includes(name));
  const results: PartResult[] = [];
  for (const part of wanted) {
    const result = await runPart(part, wish, signal);
    const text = wish.output === 'json' ? jsonLines(result).join('\n') : partSection(result);
    process.stdout.write(`${text}\n`);
    results.push(result);
  }
  if (wish.document === 'write') await writeDocument(results, wish);
  const failed = results.some(({ gaps }) => gaps.some(({ subject }) => subject === eastwest.name));
  return failed ? 'incomplete' : 'complete';
}

async function writeDocument(results: readonly PartResult[], { effort }: Wish): Promise<void> {
  const date = new Date(systemClock.now()).toISOString().slice(0, 10);
  const text = performanceDocument(results, { versions: await versions(), effort, date });
  await writeFile(join(documents, 'performance.md'), text);
  await writeFile(join(documents, 'performance.svg'), performanceChart(results));
  progress(`wrote ${join(documents, 'performance.md')}`);
}

async function runPart(part: Part, { effort }: Wish, signal: AbortSignal): Promise<PartResult> {
  const withPeers = part.scenarios.some((scenario) => scenario.subjects === 'all');
  const candidates = withPeers ? subjects : [eastwest];
  const left: Gap[] = [];
  const taken = candidates.filter(({ name, program, effort: needed }) => {
    const why = needed === 'full' && effort === 'quick' ? 'left out by --quick' : missingProgram(program);
    if (why !== undefined) left.push({ subject: name, why });
    return why === undefined;
  });
  for (const { subject, why } of left) progress(`${part.name}: without ${subject}: ${why}`);
  const startedMs = systemClock.monotonic();
  const others = watchOthers();
  const workDir = await mkdtemp(join(tmpdir(), 'eastwest-bench-'));
  try {
    const { figures, gaps } = await part.run({
      effort,
      workDir,
      identities: await writeCertificates(join(workDir, 'certificates')),
      subjects: taken,
      env: await emptyCompileCache(workDir),
      signal,
      progress: (line) => progress(`${part.name} ${seconds(startedMs)} s: ${line}`),
    });
    progress(`${part.name} ${seconds(startedMs)} s: end`);
    const tookMs = systemClock.monotonic() - startedMs;
    return { part, effort, figures, gaps: [...left, ...gaps], tookMs, othersShare: others() };
  } finally {
    await rm(workDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

function seconds(sinceMs: number): string {
  return ((systemClock.monotonic() - sinceMs) / 1000).toFixed(1);
}

async function versions(): Promise<readonly string[]> {
  const installed = subjects.filter(
    ({ name, program }) => missingProgram(program) === undefined && name !== envoyHttp1.name,
  );
  const told = installed.map(async ({ name, program, versionWords }) => {
    return `${name} ${await versionOf(program, ...versionWords)}`;
  });
  return [...(await Promise.all(told)), `Node ${process.versions.node}`, `OpenSSL ${process.versions.openssl} in Node`];
}
