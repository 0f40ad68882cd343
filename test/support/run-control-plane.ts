import { runControlPlane } from '#control-plane/main.ts';
import { parseControlPlaneConfig } from '#control-plane/config.ts';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';

/** A control plane as a process of its own; its settings are the first argument (YAML or JSON). Ends on SIGTERM. */
const config = parseControlPlaneConfig(process.argv[2] ?? '');
if (!config.ok) throw new Error(config.reason);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await runControlPlane(config.value, { signal: stop.signal, clock: systemClock, random: systemRandom });
