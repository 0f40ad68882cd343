import { createCounters, type AgentCounters } from './metrics.ts';

/** Counters as they stood at one moment, without methods: can be sent to another thread. */
export type CounterValues = {
  readonly [Name in keyof AgentCounters]: AgentCounters[Name] extends number ? number : ReadonlyMap<string, number>;
};

export function copyCounters(counters: AgentCounters): CounterValues {
  const copied = Object.entries(counters).map(([name, value]) => [
    name,
    typeof value === 'number' ? value : new Map(value.entries()),
  ]);
  return Object.fromEntries(copied) as CounterValues;
}

/** The same ceilings hold for the sum as for its parts: labels over `maxLabels` are counted together. */
export function sumCounters(parts: Iterable<CounterValues>): AgentCounters {
  const sum = createCounters();
  const plain = sum as unknown as Record<string, number>;
  for (const part of parts) {
    for (const [name, counter] of Object.entries(sum)) {
      const more = part[name as keyof AgentCounters];
      if (typeof more === 'number') plain[name] = counter + more;
      else for (const [label, count] of more) counter.add(label, count);
    }
  }
  return sum;
}
