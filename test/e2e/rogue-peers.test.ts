import { describe, expect, test } from 'vitest';
import { rogueCaller, rogueServer, type RogueWay } from '#support/rogue-story.ts';

/** Who, what the agent says of it, and how many certificates were proved before. */
const ways: [way: RogueWay, reason: string, proved: number][] = [
  ['honest, then silent', 'silent', 3],
  ['silent', 'silent', 0],
  ['replays its old authenticator', 'other-context', 1],
  ['shows another identity', 'other-identity', 0],
  ['sends garbage', 'unexpected-message', 0],
];

describe.each([
  ['dials an agent', rogueCaller],
  ['is dialled by an agent', rogueServer],
])('a peer that %s and', (_side, meet) => {
  test.concurrent.each(ways)(
    '%s loses the session within a second of expiry or of its wrong (A46)',
    async (way, reason, proved) => {
      const end = await meet(way, 4_000);
      expect(end).toMatchObject({ reason, proved });
      expect(end.lateMs).toBeGreaterThanOrEqual(-20); // not before its time
      expect(end.lateMs).toBeLessThan(1_000);
    },
  );
});
