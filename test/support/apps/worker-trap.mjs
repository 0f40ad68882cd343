// Loaded into every thread of an agent by NODE_OPTIONS: does to worker WORKER_TRAP what the file TRAP_FILE says, once it is there.
import { existsSync, readFileSync } from 'node:fs';
import { isMainThread, workerData } from 'node:worker_threads';

const { TRAP_FILE, TRAP_WORKER } = process.env;

if (!isMainThread && workerData?.worker === Number(TRAP_WORKER)) {
  const look = setInterval(() => {
    if (!existsSync(TRAP_FILE)) return;
    clearInterval(look);
    const [what, forMs] = readFileSync(TRAP_FILE, 'utf8').split(' ');
    if (what === 'throw') throw new Error('the trap has closed');
    if (what === 'exit') process.exit(0);
    if (what === 'stall') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(forMs));
  }, 20);
}
