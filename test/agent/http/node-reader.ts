import { createServer, request, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** A message as node's own parser reads it. */
export interface ReadMessage {
  readonly line: string;
  /** Names in lower case, values; in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly trailers: readonly (readonly [string, string])[];
}

/** What node's parser makes of these bytes as one caller's requests: those that were whole, and what stopped it. */
export async function readRequests(bytes: Buffer): Promise<{ requests: ReadMessage[]; problem: string | undefined }> {
  const requests: (ReadMessage | undefined)[] = [];
  let problem: string | undefined;
  const server = createServer({ requireHostHeader: false }, (incoming, response) => {
    const at = requests.push(undefined) - 1;
    readMessage(incoming, `${incoming.method} ${incoming.url} HTTP/${incoming.httpVersion}`).then(
      (read) => {
        requests[at] = read;
        response.end();
      },
      () => undefined, // cut below
    );
  });
  server.on('checkExpectation', (incoming, response) => server.emit('request', incoming, response));
  server.on('checkContinue', (incoming, response) => server.emit('request', incoming, response));
  const handedOver = (incoming: IncomingMessage, duplex: Duplex): void => {
    const line = `${incoming.method} ${incoming.url} HTTP/${incoming.httpVersion}`;
    requests.push({ line, headers: pairs(incoming.rawHeaders), body: '', trailers: [] });
    duplex.destroy();
  };
  server.on('upgrade', handedOver).on('connect', handedOver);
  server.on('clientError', (error: Error & { code?: string }, duplex) => {
    problem ??= error.code ?? error.message;
    duplex.destroy();
  });
  const wire = wireOf(bytes, 'stays-open');
  server.emit('connection', wire);
  for (let turn = 0; turn < 6 + 2 * requests.length; turn += 1) await nextTurn(); // it all happens in this process
  wire.destroy();
  const whole = requests.filter((read) => read !== undefined);
  return { requests: whole, problem: problem ?? (whole.length < requests.length ? 'incomplete' : undefined) };
}

/** What node's parser makes of these bytes as the answer to a request with that method; a reason where it is none. */
export function readAnswer(bytes: Buffer, method: string): Promise<ReadMessage | string> {
  return new Promise((resolve) => {
    const asking = request({ method, host: 'a', createConnection: () => wireOf(bytes, 'ends') });
    asking.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    asking.on('response', (incoming) => {
      readMessage(incoming, `${incoming.statusCode} ${incoming.statusMessage}`).then(resolve, (error: unknown) =>
        resolve(String(error)),
      );
    });
    asking.end();
  });
}

async function readMessage(incoming: IncomingMessage, line: string): Promise<ReadMessage> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  if (!incoming.complete) throw new Error('incomplete');
  return {
    line,
    headers: pairs(incoming.rawHeaders),
    body: Buffer.concat(pieces).toString('latin1'),
    trailers: pairs(incoming.rawTrailers),
  };
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at]!.toLowerCase(), raw[2 * at + 1]!]);
}

/** Gives these bytes; takes whatever is written. */
function wireOf(bytes: Buffer, then: 'ends' | 'stays-open'): Duplex {
  let hasGiven = false;
  return new Duplex({
    read() {
      if (hasGiven) return;
      hasGiven = true;
      if (bytes.length > 0) this.push(bytes);
      if (then === 'ends') this.push(null);
    },
    write: (_bytes, _encoding, done) => done(),
  });
}
