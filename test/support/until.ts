/** Lets the event loop go round until the claim holds; fails when it still does not after `turns` rounds. */
export async function until(holds: () => boolean, turns = 20_000): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    if (holds()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`never came true: ${holds.toString()}`);
}
