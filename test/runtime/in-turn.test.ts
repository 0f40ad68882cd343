import { expect, test } from 'vitest';
import { inTurn } from '#runtime/in-turn.ts';

test('what is given at once runs one after the other, and one that fails holds up nobody', async () => {
  const take = inTurn();
  const said: string[] = [];
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const turns = gates.map((gate, index) =>
    take(async () => {
      said.push(`begin ${index}`);
      await gate.promise;
      said.push(`end ${index}`);
      return index;
    }),
  );
  gates[1]?.resolve();
  gates[0]?.reject(new Error('no'));
  await expect(turns[0]).rejects.toThrow('no');
  expect(await turns[1]).toBe(1);
  expect(said).toEqual(['begin 0', 'begin 1', 'end 1']);
});
