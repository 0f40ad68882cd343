import type { AccessLogConfig } from '#agent/config-types.ts';
import { createAccessLog, type AccessLog, type AccessLogParts } from './access-log.ts';
import { BlockWriter } from './block-writer.ts';
import { openLineOutput } from './line-output.ts';

export interface OpenAccessLog {
  readonly log: AccessLog;
  /** Lines that there was no room for. */
  readonly dropped: number;
  /** Writes what waits, as far as the output takes it soon. */
  close(): Promise<void>;
}

const closeMs = 500;

/** The access log of one thread. Throws `ACCESS_LOG_NOT_OPEN`. */
export function openAccessLog(
  config: AccessLogConfig,
  parts: Pick<AccessLogParts, 'workload' | 'spiffeId' | 'clock' | 'random'>,
): OpenAccessLog {
  const writer = new BlockWriter(openLineOutput(config.to, parts.clock), parts.clock);
  const { sample, failures } = config;
  return {
    log: createAccessLog({ ...parts, sample, failures, write: (line) => writer.write(line) }),
    get dropped() {
      return writer.dropped;
    },
    close: () => writer.close(closeMs),
  };
}
