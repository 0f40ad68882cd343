import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { WebSocket } from 'ws';

/** What to send, all to ports on loopback, and for how long. */
export interface LoadPlan {
  readonly forMs: number;
  readonly http: { readonly port: number; readonly perSecond: number };
  readonly webSockets: { readonly port: number; readonly count: number };
  readonly tcp: { readonly port: number; readonly count: number };
}

/** Counted at the client. Everything but `requests`, `messages` and `lines` must stay 0. */
export interface LoadResult {
  requests: number;
  readonly failures: string[];
  messages: number;
  lines: number;
  /** Long-lived connections that ended before we ended them. */
  readonly resets: string[];
  /** Bytes lost, doubled, changed or out of order on long-lived connections. */
  readonly damaged: string[];
  readonly latenciesMs: number[];
}

const everyMs = 100;

/** Runs the load: requests at a steady rate over kept connections, and connections that live through the whole run. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const result: LoadResult = {
    requests: 0,
    failures: [],
    messages: 0,
    lines: 0,
    resets: [],
    damaged: [],
    latenciesMs: [],
  };
  const until = performance.now() + plan.forMs;
  await Promise.all([
    sendRequests(plan.http, until, result),
    ...Array.from({ length: plan.webSockets.count }, (_, index) =>
      holdWebSocket(plan.webSockets.port, index, until, result),
    ),
    ...Array.from({ length: plan.tcp.count }, (_, index) => holdTcp(plan.tcp.port, index, until, result)),
  ]);
  return result;
}

async function sendRequests({ port, perSecond }: LoadPlan['http'], until: number, result: LoadResult): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const open = new Set<Promise<void>>();
  const startedMs = performance.now();
  while (performance.now() < until) {
    const due = Math.floor(((performance.now() - startedMs) * perSecond) / 1000);
    while (result.requests < due) {
      const one = sendOne(port, agent, result).finally(() => open.delete(one));
      open.add(one);
    }
    await sleep(5);
  }
  await Promise.all(open);
  agent.destroy();
}

function sendOne(port: number, agent: Agent, result: LoadResult): Promise<void> {
  result.requests += 1;
  const number = result.requests;
  const isPost = number % 3 === 0;
  const content = isPost ? Buffer.alloc((number % 50) * 100, `${number} `) : Buffer.alloc(0);
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const fail = (why: string): void => {
      result.failures.push(`${new Date().toISOString()} request ${number} ${isPost ? 'POST' : 'GET'}: ${why}`);
      resolve();
    };
    const sent = request(
      { host: '127.0.0.1', port, agent, method: isPost ? 'POST' : 'GET', path: `/${number}` },
      (reply) => {
        let text = '';
        reply.setEncoding('utf8');
        reply.on('data', (piece: string) => (text += piece));
        reply.on('error', (error) => fail(`answer broke: ${error.message}`));
        reply.on('end', () => {
          result.latenciesMs.push(performance.now() - startedMs);
          if (reply.statusCode !== 200) return fail(`status ${reply.statusCode}: ${text.slice(0, 200)}`);
          const { url, body } = JSON.parse(text) as { url: string; body: string };
          if (url !== `/${number}` || body !== content.toString('base64')) return fail('somebody else’s answer');
          resolve();
        });
      },
    );
    sent.setTimeout(10_000, () => sent.destroy(new Error('no answer in 10 s')));
    sent.on('error', (error) => fail(error.message));
    sent.end(content);
  });
}

function holdWebSocket(port: number, index: number, until: number, result: LoadResult): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${index}`);
    let sent = 0;
    let got = 0;
    let ours = false;
    const timer = setInterval(() => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (performance.now() < until) socket.send(`${index} ${(sent += 1)} ${'x'.repeat((sent * 37) % 3000)}`);
      else if (got === sent) {
        ours = true;
        socket.close();
      } else if (performance.now() > until + 5_000) socket.terminate();
    }, everyMs);
    socket.on('message', (message: Buffer) => {
      got += 1;
      result.messages += 1;
      if (message.toString() !== `${index} ${got} ${'x'.repeat((got * 37) % 3000)}`)
        result.damaged.push(`WebSocket ${index} message ${got}`);
    });
    socket.on('error', (error) => result.resets.push(`WebSocket ${index}: ${error.message}`));
    socket.on('close', (code) => {
      clearInterval(timer);
      if (!ours)
        result.resets.push(
          `${new Date().toISOString()} WebSocket ${index} closed with ${code} after ${got} of ${sent} messages`,
        );
      resolve();
    });
  });
}

function holdTcp(port: number, index: number, until: number, result: LoadResult): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let expected = '';
    let ours = false;
    let sent = 0;
    const timer = setInterval(() => {
      if (performance.now() < until) {
        const line = `${index} ${(sent += 1)} ${'y'.repeat((sent * 53) % 5000)}\n`;
        expected += line;
        socket.write(line);
      } else if (expected === '') {
        ours = true;
        socket.end();
      } else if (performance.now() > until + 5_000) socket.destroy();
    }, everyMs);
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (!expected.startsWith(text)) result.damaged.push(`TCP ${index} in line ${sent}`);
      expected = expected.slice(text.length);
      result.lines += text.split('\n').length - 1;
    });
    socket.on('error', (error) => result.resets.push(`TCP ${index}: ${error.message}`));
    socket.on('close', () => {
      clearInterval(timer);
      if (!ours)
        result.resets.push(
          `${new Date().toISOString()} TCP ${index} ended with ${expected.length} bytes owed after ${sent} lines`,
        );
      resolve();
    });
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
