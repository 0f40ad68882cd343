import { systemClock } from '#runtime/system-clock.ts';
import { cpuMicroseconds } from '#bench/proc.ts';
import { createConnectDriver } from './connect-driver.ts';
import { createEchoDriver } from './echo-driver.ts';
import { createFixedRateDriver } from './fixed-rate-driver.ts';
import { createGrpcDriver } from './grpc-driver.ts';
import { createHttpDriver, httpRequest } from './http-driver.ts';
import type { Job, LoadResult } from './job.ts';
import { Tally, type Driver } from './tally.ts';
import { within } from './within.ts';

const openWithinMs = 10_000;

/** Throws when anything failed: then no figure counts. */
export async function runJob(job: Job): Promise<LoadResult> {
  const tally = new Tally();
  const driver = createDriver(job, tally);
  try {
    await within(openWithinMs, driver.open());
    driver.start();
    await Promise.all([whileNothingFails(job.warmUpSeconds, tally), settled(job, driver)]);
    tally.restart();
    const before = readClocks(job);
    await whileNothingFails(job.seconds, tally);
    const after = readClocks(job);
    const [count, bytes] = [tally.latencies.total, tally.bytes];
    await driver.finish();
    if (count + bytes === 0) tally.failed('nothing was answered');
    if (tally.failure !== undefined) throw new Error(tally.failure);
    const { latencies, countWithWarmUp } = tally;
    return {
      count,
      bytes,
      countWithWarmUp,
      seconds: (after.atMs - before.atMs) / 1000,
      p50Ms: latencies.percentile(0.5),
      p99Ms: latencies.percentile(0.99),
      p999Ms: latencies.percentile(0.999),
      loaderCpuUs: after.ownUs - before.ownUs,
      watchedCpuUs: after.watchedUs.map((us, at) => us - (before.watchedUs[at] ?? NaN)),
    };
  } finally {
    driver.close();
  }
}

/** A large body takes long: its first answer is not waited for. */
async function settled({ kind }: Job, driver: Driver): Promise<void> {
  if (kind !== 'download') await within(openWithinMs, driver.settled());
}

function createDriver(job: Job, tally: Tally): Driver {
  switch (job.kind) {
    case 'http':
      return createHttpDriver({ ...job, request: httpRequest('/', job) }, tally);
    case 'download':
      return createHttpDriver({ ...job, request: httpRequest(`/bytes/${job.bytes}`) }, tally);
    case 'grpc':
      return createGrpcDriver(job, tally);
    case 'echo':
      return createEchoDriver(job, tally);
    case 'connect':
      return createConnectDriver(job, tally);
    case 'fixed-rate':
      return createFixedRateDriver(job, tally);
  }
}

function readClocks({ watch }: Job): { atMs: number; ownUs: number; watchedUs: readonly number[] } {
  const { user, system } = process.cpuUsage();
  return { atMs: systemClock.monotonic(), ownUs: user + system, watchedUs: watch.map(cpuMicroseconds) };
}

async function whileNothingFails(seconds: number, tally: Tally): Promise<void> {
  const untilMs = systemClock.monotonic() + seconds * 1000;
  for (let leftMs = seconds * 1000; leftMs > 0; leftMs = untilMs - systemClock.monotonic()) {
    if (tally.failure !== undefined) throw new Error(tally.failure);
    await systemClock.sleep(Math.min(leftMs, 100));
  }
}
