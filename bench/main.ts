import { help, parseWish } from './arguments.ts';
import { parts, runBench } from './run-bench.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(signal)));

const wish = parseWish(
  process.argv.slice(2),
  parts.map(({ name }) => name),
);
if (wish.ok) {
  try {
    process.exitCode = (await runBench(wish.value, stop.signal)) === 'complete' ? 0 : 1;
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
