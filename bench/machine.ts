import { availableParallelism, cpus, release, totalmem, type as systemName } from 'node:os';

/** What the figures were made on, in one line. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const gib = Math.round(totalmem() / 1024 ** 3);
  return `${availableParallelism()} cores (${model}), ${gib} GiB, ${systemName()} ${release()}`;
}
