import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#runtime/system-clock.ts';
import { help, parseWish, type Wish } from './arguments.ts';
import { writeCertificates } from './certificates.ts';
import { emptyCompileCache } from './compile-cache.ts';
import type { Gap, Part } from './part.ts';
import { http } from './part-http.ts';
import { issue } from './part-issue.ts';
import { memory } from './part-memory.ts';
import { start } from './part-start.ts';
import { watchOthers } from './proc.ts';
import { missingProgram, versionOf } from './programs.ts';
import { jsonLines, partSection, performanceDocument, type PartResult } from './report.ts';
import { eastwest } from './subjects/eastwest.ts';
import { haproxy } from './subjects/haproxy.ts';
import { nginx } from './subjects/nginx.ts';
import type { Subject } from './subjects/subject.ts';

const parts: readonly Part[] = [http, memory, start, issue];
const subjects: readonly Subject[] = [eastwest, nginx, haproxy];
const documentPath = join(import.meta.dirname, '..', 'docs', 'performance.md');

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

async function runBench(wish: Wish, signal: AbortSignal): Promise<void> {
  const wanted = parts.filter(({ name }) => wish.only.length === 0 || wish.only.includes(name));
  const results: PartResult[] = [];
  for (const part of wanted) {
    const result = await runPart(part, wish, signal);
    const text = wish.output === 'json' ? jsonLines(result).join('\n') : partSection(result);
    process.stdout.write(`${text}\n`);
    results.push(result);
  }
  if (wish.document === 'leave') return;
  const date = new Date(systemClock.now()).toISOString().slice(0, 10);
  await writeFile(
    documentPath,
    performanceDocument(results, { versions: await versions(), effort: wish.effort, date }),
  );
  progress(`wrote ${documentPath}`);
}

async function runPart(part: Part, { effort }: Wish, signal: AbortSignal): Promise<PartResult> {
  const needed = part.needs.flatMap((program) => missingProgram(program) ?? []);
  if (needed.length > 0) throw new Error(`${part.name} cannot be measured: ${needed.join(', ')}`);
  const withPeers = part.scenarios.some((scenario) => scenario.subjects === 'all');
  const candidates = withPeers ? subjects : [eastwest];
  const gaps: Gap[] = candidates.flatMap(({ name, program }) => {
    const why = missingProgram(program);
    return why === undefined ? [] : [{ subject: name, why }];
  });
  for (const { subject, why } of gaps) progress(`${part.name}: ${subject} is missing: ${why}`);
  const others = watchOthers();
  const workDir = await mkdtemp(join(tmpdir(), 'eastwest-bench-'));
  try {
    const figures = await part.run({
      effort,
      workDir,
      identities: await writeCertificates(join(workDir, 'certificates')),
      subjects: candidates.filter(({ program }) => missingProgram(program) === undefined),
      env: await emptyCompileCache(workDir),
      signal,
      progress: (line) => progress(`${part.name}: ${line}`),
    });
    return { part, figures, gaps, othersShare: others() };
  } finally {
    await rm(workDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function versions(): Promise<readonly string[]> {
  const installed = subjects.filter(({ program }) => missingProgram(program) === undefined);
  const told = installed.map(async ({ name, program, versionWords }) => {
    return `${name} ${await versionOf(program, ...versionWords)}`;
  });
  return [...(await Promise.all(told)), `Node ${process.versions.node}`, `OpenSSL ${process.versions.openssl} in Node`];
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(signal)));

const wish = parseWish(
  process.argv.slice(2),
  parts.map(({ name }) => name),
);
if (wish.ok) {
  try {
    await runBench(wish.value, stop.signal);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
} else if (wish.reason === 'help') {
  process.stdout.write(help);
} else {
  process.stderr.write(`error: ${wish.reason}\n\n${help}`);
  process.exitCode = 2;
}
