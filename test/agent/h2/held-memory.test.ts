import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { HeldMemory, type Holder } from '#agent/h2/held-memory.ts';

class Session implements Holder {
  readonly streams: number[] = [];
  relieved = 0;
  readonly #memory: HeldMemory;

  constructor(memory: HeldMemory) {
    this.#memory = memory;
  }

  get heldBytes(): number {
    return this.streams.reduce((sum, bytes) => sum + bytes, 0);
  }
  hold(bytes: number): void {
    this.streams.push(bytes);
    this.#memory.grew(this, bytes);
  }
  relieveFullest(): number {
    const fullest = Math.max(0, ...this.streams);
    if (fullest > 0) this.streams.splice(this.streams.indexOf(fullest), 1);
    this.relieved += 1;
    return fullest;
  }
}

describe('what all sessions hold together has a ceiling (A53, A54)', () => {
  test('beyond it whoever holds most loses its fullest streams, at the end of the turn; the others notice nothing', async () => {
    const memory = new HeldMemory(1_000);
    const [small, hog, other] = [new Session(memory), new Session(memory), new Session(memory)];
    small.hold(50);
    other.hold(300);
    for (let stream = 0; stream < 9; stream += 1) hog.hold(100);
    expect(hog.relieved).toBe(0);
    await turn();
    expect(small.heldBytes + hog.heldBytes + other.heldBytes).toBe(950);
    expect([small.relieved, other.relieved, hog.relieved]).toEqual([0, 0, 3]);
  });

  test('many sessions of one peer hold no more than few', async () => {
    const memory = new HeldMemory(1_000);
    const sessions = Array.from({ length: 100 }, () => new Session(memory));
    for (const session of sessions) {
      session.hold(60);
      session.hold(40);
      await turn();
    }
    const total = sessions.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
    expect(total).toBeLessThan(2_000 + 100);
  });

  test('a session that cannot free anything does not keep the event loop', async () => {
    const memory = new HeldMemory(10);
    let asked = 0;
    const stuck: Holder = {
      heldBytes: 100,
      relieveFullest: () => {
        asked += 1;
        return 0;
      },
    };
    memory.grew(stuck, 100);
    await turn();
    expect(asked).toBe(1);
  });
});
