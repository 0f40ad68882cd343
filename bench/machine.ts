import { availableParallelism, cpus, release, totalmem, type as systemName } from 'node:os';

/** What the figures were made on, in one line; of the kernel's version major and minor only. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const gib = Math.round(totalmem() / 1024 ** 3);
  const [kernel] = /^\d+\.\d+/.exec(release()) ?? [''];
  return `${availableParallelism()} cores (${model}), ${gib} GiB, ${systemName()} ${kernel}`;
}
