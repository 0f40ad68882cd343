import { holdConnections } from './hold.ts';
import type { LoaderAnswer, LoaderOrder } from './orders.ts';
import { runJob } from './run-job.ts';

// The load generator's process: carries out what its parent orders, one job at a time.

const held = new Map<number, () => void>();

process.on('message', (order: LoaderOrder) => void carryOut(order));
process.on('disconnect', () => process.exit());

async function carryOut(order: LoaderOrder): Promise<void> {
  try {
    answer({ id: order.id, ok: true, result: await resultOf(order) });
  } catch (error) {
    answer({ id: order.id, ok: false, why: error instanceof Error ? error.message : String(error) });
  }
}

async function resultOf(order: LoaderOrder) {
  switch (order.kind) {
    case 'run':
      return runJob(order.job);
    case 'hold':
      held.set(order.id, await holdConnections(order.port, order.connections));
      return undefined;
    case 'release':
      held.get(order.held)?.();
      held.delete(order.held);
      return undefined;
  }
}

function answer(message: LoaderAnswer): void {
  process.send?.(message);
}
