import type { Loader } from './load/loader.ts';
import type { LoadResult, Work } from './load/job.ts';
import type { Pair } from './pair.ts';
import { instructionsDuring } from './perf.ts';
import type { Running } from './running.ts';

/** A load on one pair; times in seconds. */
export interface Load {
  readonly work: Work;
  readonly connections: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface Measured {
  readonly result: LoadResult;
  readonly egressUs: number;
  readonly ingressUs: number;
  /** Of load generator and app. */
  readonly harnessUs: number;
  /** Of the pair, for each of what was counted; NaN where they cannot be counted. */
  readonly instructionsEach: number;
}

export async function measure(pair: Pair, load: Load, by: { loader: Loader; app: Running }): Promise<Measured> {
  const { work, ...times } = load;
  const watch = [pair.egress.pid, pair.ingress.pid, by.app.pid];
  const { result, instructions } = await instructionsDuring([pair.egress.pid, pair.ingress.pid], () =>
    by.loader.run({ ...work, ...times, port: pair.place.egressPort, watch }),
  );
  const [egressUs = NaN, ingressUs = NaN, appUs = NaN] = result.watchedCpuUs;
  const instructionsEach = instructions / result.countWithWarmUp;
  return { result, egressUs, ingressUs, harnessUs: result.loaderCpuUs + appUs, instructionsEach };
}

/** Of requests, calls or messages. */
export function requestMetrics({ result, ...cpu }: Measured): Record<string, number> {
  const { count, seconds, p50Ms, p99Ms, p999Ms } = result;
  return {
    cpu_us_per_request: (cpu.egressUs + cpu.ingressUs) / count,
    cpu_egress_us_per_request: cpu.egressUs / count,
    cpu_ingress_us_per_request: cpu.ingressUs / count,
    cpu_harness_us_per_request: cpu.harnessUs / count,
    requests_per_s: count / seconds,
    p50_ms: p50Ms,
    p99_ms: p99Ms,
    p999_ms: p999Ms,
    ...(Number.isNaN(cpu.instructionsEach) ? {} : { instructions_per_request: cpu.instructionsEach }),
  };
}

/** Of bytes; MB are millions of bytes of body that reached the load generator. */
export function byteMetrics({ result, ...cpu }: Measured): Record<string, number> {
  const mb = result.bytes / 1e6;
  return {
    mb_per_s: mb / result.seconds,
    cpu_us_per_mb: (cpu.egressUs + cpu.ingressUs) / mb,
    cpu_egress_us_per_mb: cpu.egressUs / mb,
    cpu_ingress_us_per_mb: cpu.ingressUs / mb,
  };
}

/** Of connections. */
export function connectionMetrics({ result, ...cpu }: Measured): Record<string, number> {
  return {
    ops_per_s: result.count / result.seconds,
    cpu_us_per_op: (cpu.egressUs + cpu.ingressUs) / result.count,
    cpu_egress_us_per_op: cpu.egressUs / result.count,
    cpu_ingress_us_per_op: cpu.ingressUs / result.count,
    p50_ms: result.p50Ms,
    p99_ms: result.p99Ms,
  };
}
