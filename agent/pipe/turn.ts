/** Something that gathers while a turn of the event loop runs. */
export interface Flushable {
  /** Sends what was gathered. Must not put itself into the queue again. */
  flush(): void;
}

const queue: Flushable[] = [];
let at = 0;

/**
 * Has `flush` called once this turn's input has been read. The caller keeps its own note that it waits already: whoever
 * comes twice is flushed twice. What a flush adds (a session writes to its pipe) is flushed in the same run, so that
 * one turn's output never waits for the next.
 */
export function later(flushable: Flushable): void {
  if (queue.push(flushable) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  try {
    for (; at < queue.length; at += 1) queue[at]?.flush();
    at = 0;
    queue.length = 0;
  } catch (fault) {
    // It ends the process, unless somebody catches what is uncaught: then the others must not wait for ever.
    queue.splice(0, at + 1);
    at = 0;
    if (queue.length > 0) setImmediate(flushAll);
    throw fault;
  }
}
