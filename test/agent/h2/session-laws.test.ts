import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { connectHead, okHead, startH2Pair, type H2Pair, type StreamLog } from '#support/h2-raw.ts';

type Side = 'asker' | 'answerer';

type Step =
  | { readonly what: 'open' }
  | { readonly what: 'send'; readonly stream: number; readonly side: Side; readonly bytes: number }
  | { readonly what: 'pause' | 'resume' | 'end' | 'reset'; readonly stream: number; readonly side: Side }
  | { readonly what: 'turn' };

const stream = fc.nat({ max: 5 });
const side = fc.constantFrom<Side>('asker', 'answerer');
const bytes = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 120_000 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constant({ what: 'open' as const }),
  fc.record({ what: fc.constant('send' as const), stream, side, bytes }),
  fc.record({ what: fc.constant('send' as const), stream, side, bytes }),
  fc.record({ what: fc.constantFrom('pause' as const, 'resume' as const, 'end' as const), stream, side }),
  fc.record({ what: fc.constant('reset' as const), stream, side }),
  fc.constant({ what: 'turn' as const }),
);

/** One stream, from both ends, with what each end was given to send. */
interface Ends {
  readonly asker: StreamLog;
  answerer: StreamLog | undefined;
  readonly given: Record<Side, Buffer[]>;
  readonly ended: Record<Side, boolean>;
  isReset: boolean;
}

const alphabet = Buffer.alloc(200_000, 'abcdefghijklmnopqrstuvwxyz0123456789+');
let salt = 0;

async function play(pair: H2Pair, steps: readonly Step[]): Promise<Ends[]> {
  const all: Ends[] = [];
  pair.server.onStream = (log) => {
    const ends = all.find(({ asker }) => asker.stream?.id === log.stream?.id);
    if (ends) ends.answerer = log;
    log.stream?.headers(okHead, false);
  };
  for (const one of steps) {
    if (one.what === 'turn') {
      await pair.settle();
      continue;
    }
    if (one.what === 'open') {
      const ended = { asker: false, answerer: false };
      all.push({
        asker: pair.ask(connectHead),
        answerer: undefined,
        given: { asker: [], answerer: [] },
        ended,
        isReset: false,
      });
      await pair.settle();
      continue;
    }
    const ends = all[one.stream];
    const end = ends?.[one.side]?.stream;
    if (ends === undefined || end === undefined) continue;
    if (one.what === 'send') {
      salt = (salt + 1) % 37;
      const piece = alphabet.subarray(salt, salt + one.bytes);
      if (!ends.ended[one.side] && !ends.isReset) ends.given[one.side].push(piece);
      end.data(piece);
    } else if (one.what === 'reset') {
      ends.isReset = true;
      end.reset(8);
    } else {
      if (one.what === 'end') ends.ended[one.side] = true;
      end[one.what]();
    }
  }
  return all;
}

describe('whatever two sessions do to each other', () => {
  test('each stream carries its bytes whole and in order, or a true start of them and a reset', async () => {
    const wire = fc.record({
      fullBytes: fc.constantFrom(1_000, 20_000, 65_536),
      pieceBytes: fc.constantFrom(7_000, 16_393, 65_536),
      windowBytes: fc.constantFrom(3_000, 70_000, 1_048_576),
      firstWindowBytes: fc.constantFrom(1_000, 70_000, undefined),
      unreadCeilingBytes: fc.constantFrom(300_000, 33_554_432),
      sessionWindowBytes: fc.constantFrom(65_535, 1_000_000),
    });
    await fc.assert(
      fc.asyncProperty(wire, fc.array(step, { minLength: 5, maxLength: 60 }), async (made, steps) => {
        const { fullBytes, pieceBytes, ...settings } = made;
        const pair = await startH2Pair({
          pipe: { fullBytes, pieceBytes },
          settings,
        });
        const all = await play(pair, [{ what: 'open' }, ...steps]);
        for (const { asker, answerer } of all) for (const log of [asker, answerer]) log?.stream?.resume();
        for (let round = 0; round < 400; round += 1) {
          await pair.settle();
          const isDone = all.every(({ asker, answerer }) =>
            [asker, answerer].every((log) => (log?.stream?.unsentBytes ?? 0) === 0),
          );
          if (isDone) break;
        }
        await pair.settle();
        for (const { asker, answerer, given, ended, isReset } of all) {
          const sentByAsker = Buffer.concat(given.asker);
          const sentByAnswerer = Buffer.concat(given.answerer);
          const got = [answerer?.bytes ?? Buffer.alloc(0), asker.bytes] as const;
          if (isReset) {
            expect(sentByAsker.subarray(0, got[0].length).equals(got[0])).toBe(true);
            expect(sentByAnswerer.subarray(0, got[1].length).equals(got[1])).toBe(true);
          } else {
            expect([got[0].equals(sentByAsker), got[1].equals(sentByAnswerer)]).toEqual([true, true]);
            expect(answerer?.lines.includes('end')).toBe(ended.asker);
            expect(asker.lines.includes('end')).toBe(ended.answerer);
          }
        }
        const open = all.filter(({ ended, isReset }) => !isReset && !(ended.asker && ended.answerer)).length;
        expect([pair.client.session.openStreams, pair.server.session.openStreams]).toEqual([open, open]);
        expect([pair.client.lines, pair.server.lines]).toEqual([['ready'], ['ready']]);
      }),
      { numRuns: 60 },
    );
  });
});
