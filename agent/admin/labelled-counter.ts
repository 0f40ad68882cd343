/** One number per label, for at most `maxLabels` labels; whoever comes later is counted together as `other` (A74). */
export interface LabelledCounter {
  /** `count`: 1 unless given. */
  add(label: string, count?: number): void;
  entries(): IterableIterator<[label: string, count: number]>;
}

export const maxLabels = 200;
const maxLabelLength = 512;

export function createLabelledCounter(): LabelledCounter {
  const counts = new Map<string, number>();
  return {
    add(label, more = 1) {
      const count = counts.get(label);
      if (count !== undefined) counts.set(label, count + more);
      else if (counts.size < maxLabels && label.length <= maxLabelLength) counts.set(label, more);
      else counts.set('other', (counts.get('other') ?? 0) + more);
    },
    entries: () => counts.entries(),
  };
}
