/** Lets the event loop go round so many times: on loopback, whatever was on its way has arrived. */
export async function turns(count = 30): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
