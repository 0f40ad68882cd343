import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UsageError, type Arguments, type Edge, type Run } from '#cli/edge.ts';
import { defaultStateDir } from '#cli/run-file.ts';
import { accessLogsIn } from '#cli/up/access-logs.ts';
import { isoTime, parseDuration } from '#cli/time-text.ts';
import { workloadNamed } from '#cli/workload-names.ts';
import { instantMs } from '#policy/rfc3339.ts';
import { Fault } from '#runtime/fault.ts';
import { compare, comparisonText, type Comparison } from './learn/comparison.ts';
import { currentPolicies } from './learn/current-policies.ts';
import { sourceText, toldCalls } from './learn/findings.ts';
import { learnedDocuments, learnedFile } from './learn/learned-file.ts';
import { logSources, readLog } from './learn/log-files.ts';
import { LogLearner, type LearnOptions } from './learn/log-learner.ts';

const defaultMinValues = 5;
/** Of a file of policies: more is not read. */
const maxFileBytes = 1_048_576;

/** `eastwest policy learn`: the least ALLOW policies of what access logs tell, beside those there are. */
export const run: Run = async (args, edge) => {
  const out = outOption(args, edge);
  const sources = logSources(logNames(args, edge), edge);
  const current = await currentPolicies(args, edge);
  const options = { ...learnOptions(args, edge), current: current.policies?.map(({ document }) => document) };
  const learner = new LogLearner(options);
  for (const source of sources) await readLog(source, edge, (line) => learner.take(line));
  if (!learner.isOfAccessLogs) {
    throw new UsageError(
      `none of ${learner.lines} lines is of an access log`,
      'name what `accessLog` of agent.yaml writes',
    );
  }
  const comparison = current.policies && compare(learner, current.policies, options.to);
  const file = learnedFile(learner);
  if (Buffer.byteLength(file) > maxFileBytes) {
    throw new Fault('LEARNED_TOO_MUCH', 'what was learned has more than 1 MiB, which is not read as policies', {
      hint: 'name one workload with --to, or lower --min-values',
    });
  }
  if (out !== undefined) writeOut(out, file, args);
  if (args.flags.has('json')) {
    edge.stdout.write(`${JSON.stringify(forScripts(learner, comparison))}\n`);
    return 0;
  }
  if (out === undefined) edge.stdout.write(file);
  const report = out === undefined ? edge.stderr : edge.stdout;
  report.write(`learned from ${sourceText(learner)}\n`);
  report.write(
    comparison === undefined
      ? `not compared: ${current.why}\n`
      : comparisonText(comparison, { created: out === undefined ? 'by-name' : 'in-full' }),
  );
  if (out !== undefined) report.write(`written to ${args.values['out']}\n`);
  return 0;
};

function logNames({ positionals, values }: Arguments, edge: Edge): readonly string[] {
  if (positionals.length > 0) return positionals;
  const stateDir = resolve(edge.cwd, values['state-dir'] ?? defaultStateDir);
  const logs = accessLogsIn(join(stateDir, 'logs'));
  if (logs.length > 0) return logs;
  throw new UsageError(
    `\`eastwest up\` wrote no access logs in ${stateDir}`,
    'let it run for a while, or name access logs: eastwest policy learn FILE…',
  );
}

function learnOptions({ values, flags }: Arguments, edge: Edge): Omit<LearnOptions, 'current'> {
  const { to, since, 'min-values': minValues = String(defaultMinValues) } = values;
  if (!/^[1-9]\d{0,3}$/.test(minValues) || minValues === '1') {
    throw new UsageError(`--min-values ${minValues} is no count`, 'write a whole number, 2 to 9999');
  }
  return {
    to: to === undefined ? undefined : workloadNamed(to, { from: undefined, trustDomain: undefined, documents: [] }),
    sinceMs: since === undefined ? -Infinity : sinceMs(since, edge),
    minValues: Number(minValues),
    includeDenied: flags.has('include-denied'),
  };
}

/** A time, or how long ago. */
function sinceMs(text: string, { clock }: Edge): number {
  const agoMs = parseDuration(text);
  const ms = agoMs === undefined ? instantMs(text) : clock.now() - agoMs;
  if (ms !== undefined) return ms;
  throw new UsageError(`--since ${text} is no time`, 'write 30m, 24h or 2026-01-31T12:00:00Z');
}

function outOption({ values, flags }: Arguments, { cwd }: Edge): string | undefined {
  const { out } = values;
  if (out === undefined) return undefined;
  const path = resolve(cwd, out);
  if (!existsSync(path) || flags.has('force')) return path;
  throw new UsageError(`${path} is there already`, 'name another file, or give --force to write over it');
}

function writeOut(path: string, text: string, { flags }: Arguments): void {
  try {
    writeFileSync(path, text, { flag: flags.has('force') ? 'w' : 'wx' });
  } catch (cause) {
    throw new Fault('FILE_NOT_WRITTEN', `cannot write ${path}`, { cause, hint: 'name a file in a folder that exists' });
  }
}

function forScripts(learner: LogLearner, comparison: Comparison | undefined): object {
  const { lines, learned, fromMs, untilMs, leftOut, plaintext, refused } = learner;
  return {
    lines,
    learned,
    from: fromMs === Infinity ? null : isoTime(fromMs),
    until: fromMs === Infinity ? null : isoTime(untilMs),
    leftOut: Object.fromEntries(leftOut),
    plaintext: Object.fromEntries(plaintext),
    refused: toldCalls(refused.workloads()),
    policies: learnedDocuments(learner),
    comparison: comparison ?? null,
  };
}
