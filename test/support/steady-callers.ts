import { once } from 'node:events';
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Address } from '#agent/config-types.ts';

/** What one caller did and what went wrong, counted where an app would see it. */
export interface Tally {
  readonly name: string;
  done: number;
  readonly failures: Failure[];
}

export interface Failure {
  /** Since the start. */
  readonly atMs: number;
  readonly caller: string;
  readonly message: string;
}

/** Callers that go on until they are told to stop, each in the pace of an ordinary app. */
export interface Callers {
  /** Ends them, and waits until what is in flight has come back. */
  stop(): Promise<readonly Tally[]>;
}

type Call = (count: number) => Promise<void>;
interface Caller {
  readonly call: Call;
  end(): void;
}

const replyDeadlineMs = 5_000;
const paceAfterFailureMs = 250;

/** Starts callers of cart's app: HTTP and WebSocket at `http`, opaque at `tcp`, and mTLS ones straight to the peer's inbound port. */
export async function startCallers(to: {
  readonly http: Address;
  readonly tcp: Address;
  /** A foreign mTLS client, with a certificate that is good at the moment. */
  readonly direct: () => ConnectionOptions;
}): Promise<Callers> {
  const startedMs = performance.now();
  const stop = new AbortController();
  const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
  const callers: [name: string, everyMs: number, caller: Caller][] = [
    [
      'kept connection',
      10,
      { call: (n) => callHttp(to.http, n, { agent: keepAlive }), end: () => keepAlive.destroy() },
    ],
    ['new connections', 20, { call: (n) => callHttp(to.http, n, { agent: false }), end: () => undefined }],
    ['new mTLS connections', 100, { call: (n) => callDirect(to.direct(), n), end: () => undefined }],
    ['WebSocket', 50, await webSocketCaller(to.http)],
    ['TCP', 50, await tcpCaller(to.tcp)],
  ];
  const running = callers.map(async ([name, everyMs, { call, end }]): Promise<Tally> => {
    const tally: Tally = { name, done: 0, failures: [] };
    for (let count = 0; !stop.signal.aborted; count += 1) {
      const message = await call(count).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (message === undefined) tally.done += 1;
      else tally.failures.push({ atMs: Math.round(performance.now() - startedMs), caller: name, message });
      await sleep(message === undefined ? everyMs : paceAfterFailureMs);
    }
    end();
    return tally;
  });
  return {
    stop() {
      stop.abort();
      return Promise.all(running);
    },
  };
}

async function callHttp(to: Address, count: number, how: { readonly agent: Agent | false }): Promise<void> {
  const options = { ...to, ...how, path: `/${count}`, method: 'POST', headers: { 'content-type': 'text/plain' } };
  await expectAnswer(request(options), count);
}

async function callDirect(options: ConnectionOptions, count: number): Promise<void> {
  const socket = connectTls({ ...options, ALPNProtocols: ['http/1.1'], checkServerIdentity: () => undefined });
  await once(socket, 'secureConnect');
  await expectAnswer(request({ createConnection: () => socket, path: `/${count}`, method: 'POST' }), count);
}

/** Sends a body of its own and wants it back, whole, with 200. */
async function expectAnswer(sent: ClientRequest, count: number): Promise<void> {
  sent.setTimeout(replyDeadlineMs, () => sent.destroy(new Error('no answer')));
  const said = `${count} `.repeat(50);
  sent.end(said);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  for await (const piece of response.setEncoding('latin1')) body += piece as string;
  if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${body}`);
  if (body !== said) throw new Error(`answered ${body.length} bytes that are not the ${said.length} sent`);
}

async function webSocketCaller({ host, port }: Address): Promise<Caller> {
  const socket = new WebSocket(`ws://${host}:${port}/ws`);
  await once(socket, 'open');
  const heard = createEchoCheck();
  socket.on('message', (data) => heard.said(String(data as Buffer)));
  socket.once('close', (code) => heard.over(`closed with ${code}`));
  socket.on('error', () => undefined); // 'close' follows
  return { call: (count) => heard.expectEcho(`${count}`, (text) => socket.send(text)), end: () => socket.close() };
}

async function tcpCaller({ host, port }: Address): Promise<Caller> {
  const socket = connectTcp(port, host);
  await once(socket, 'connect');
  const heard = createEchoCheck();
  let rest = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop()!;
    for (const line of lines) heard.said(line);
  });
  socket.once('close', () => heard.over('closed'));
  socket.on('error', () => undefined); // 'close' follows
  return {
    call: (count) => heard.expectEcho(`${count}`, (text) => socket.write(`${text}\n`)),
    end: () => socket.end(),
  };
}

/** On a stream that lives through the whole run: each message must come back once, in order, and nothing else. */
function createEchoCheck() {
  let waiting: { text: string; resolve: () => void; reject: (error: Error) => void } | undefined;
  let broken: Error | undefined;
  const fail = (why: string): void => {
    broken ??= new Error(why);
    waiting?.reject(broken);
  };
  return {
    said(text: string): void {
      if (text !== waiting?.text) return fail(`heard ${text} while waiting for ${waiting?.text ?? 'nothing'}`);
      waiting.resolve();
      waiting = undefined;
    },
    over: fail,
    async expectEcho(text: string, send: (text: string) => void): Promise<void> {
      if (broken) throw broken;
      const echoed = new Promise<void>((resolve, reject) => (waiting = { text, resolve, reject }));
      send(text);
      const late = new AbortController();
      const deadline = sleep(replyDeadlineMs, undefined, { signal: late.signal }).then(() => fail('no echo'));
      deadline.catch(() => undefined); // cut short: the echo came
      await echoed.finally(() => late.abort());
    },
  };
}
