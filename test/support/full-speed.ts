import { connect, type Socket } from 'node:net';

/** Counted at the client; `failures` must stay empty. */
export interface FullSpeed {
  requests: number;
  readonly failures: string[];
  /** Ends the load; resolves when every connection is closed. */
  stop(): Promise<void>;
}

const bytesPerLine = 2;
const requestsPerConnection = 500;

/**
 * `GET /` with one answer at a time on each of some connections, as fast as they are answered; each connection is closed
 * and opened anew after some hundred requests. Reads answers with Content-Length alone, as Node's servers write them.
 */
export function runFullSpeed(port: number, connections: number): FullSpeed {
  const state = { requests: 0, failures: [] as string[], isStopping: false };
  const workers = Array.from({ length: connections }, () => keepAsking(port, state));
  return {
    get requests() {
      return state.requests;
    },
    failures: state.failures,
    async stop() {
      state.isStopping = true;
      await Promise.all(workers);
    },
  };
}

interface State {
  requests: number;
  readonly failures: string[];
  isStopping: boolean;
}

async function keepAsking(port: number, state: State): Promise<void> {
  while (!state.isStopping) await new Promise<void>((resolve) => askOnOne(port, state, resolve));
}

function askOnOne(port: number, state: State, onClosed: () => void): void {
  const socket: Socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let answered = 0;
  let text = '';
  let isOver = false;
  const fail = (why: string): void => {
    if (!isOver) state.failures.push(why);
    isOver = true;
    socket.destroy();
  };
  const ask = (): void => void socket.write('GET / HTTP/1.1\r\nHost: echo\r\nUser-Agent: soak\r\nAccept: */*\r\n\r\n');
  socket.setEncoding('latin1');
  socket.on('connect', ask);
  socket.on('error', (error) => fail(error.message));
  socket.on('end', () => fail('closed by the agent'));
  socket.on('close', onClosed);
  socket.on('data', (piece: string) => {
    text += piece;
    const headEnd = text.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? NaN);
    if (!text.startsWith('HTTP/1.1 200') || Number.isNaN(length)) return fail(text.slice(0, 200));
    if (text.length < headEnd + 2 * bytesPerLine + length) return;
    text = '';
    state.requests += 1;
    answered += 1;
    if (answered < requestsPerConnection && !state.isStopping) return ask();
    isOver = true;
    socket.end();
  });
}
