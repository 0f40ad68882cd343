import type { Clock, Random } from '#runtime/clock.ts';
import { aborted } from '#runtime/drain.ts';
import { limitLog } from '#runtime/log-limit.ts';
import { createLog } from '#runtime/log.ts';
import type { ControlPlaneConfig } from './config.ts';
import { startControlPlane } from './control-plane.ts';
import { controlPlaneLevels, floodableEvents, type ControlPlaneEvent } from './events.ts';

/** Runs a control plane until the signal aborts; logs to stdout, first `control-plane.ready` with its address. */
export async function runControlPlane(
  config: ControlPlaneConfig,
  { signal, clock, random }: { signal: AbortSignal; clock: Clock; random: Random },
): Promise<void> {
  const log = createLog<ControlPlaneEvent>({
    levels: controlPlaneLevels,
    minLevel: config.log,
    base: { component: 'control-plane' },
    fd: 1,
  });
  const emit = limitLog(log, { limited: floodableEvents, burst: 100, perSecond: 10, clock });
  const controlPlane = await startControlPlane(config, { clock, random, emit });
  const { host, port, spiffeId, trustBundlePath, adminSocket } = controlPlane;
  emit({
    event: 'control-plane.ready',
    address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    trustDomain: config.trustDomain,
    spiffeId,
    trustBundle: trustBundlePath,
    adminSocket,
  });
  await aborted(signal);
  await controlPlane.close();
  emit({ event: 'control-plane.stopped' });
}
