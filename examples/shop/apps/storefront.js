// The front of a small shop. GET / asks prices what tea costs. Beside that it keeps two long connections that count:
// a WebSocket to the ticker of prices and a TCP connection to the journal of orders.
// Settings: PORT, PRICES_URL, ORDERS_JOURNAL (host:port).
import { Agent, createServer, get } from 'node:http';
import { connect } from 'node:net';

const pricesUrl = process.env.PRICES_URL ?? 'http://127.0.0.1:7101';
const [journalHost, journalPort] = (process.env.ORDERS_JOURNAL ?? '127.0.0.1:7104').split(':');
const agent = new Agent({ keepAlive: true });
const noteMs = 100;
const retryMs = 500;

/** `wrong` counts what was lost, doubled or out of order. */
const ticker = { connections: 0, ticks: 0, echoes: 0, wrong: 0 };
const journal = { connections: 0, notes: 0, wrong: 0 };

function askPrices(path) {
  return new Promise((resolve, reject) => {
    const request = get(new URL(path, pricesUrl), { agent, timeout: 10_000 }, async (answer) => {
      try {
        const body = (await answer.toArray()).join('');
        if (answer.statusCode !== 200) throw new Error(`prices answered ${answer.statusCode}: ${body.slice(0, 200)}`);
        resolve(JSON.parse(body));
      } catch (error) {
        reject(error);
      }
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error('prices did not answer')));
  });
}

/** Reads ticks 1, 2, 3 … and sends texts that must come back in order. Connects again when the connection ends. */
function followTicker() {
  let tick = 0;
  let sent = 0;
  let echoed = 0;
  const socket = new WebSocket(`${pricesUrl.replace(/^http/, 'ws')}/ticker`);
  const asking = setInterval(() => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ echo: (sent += 1) }));
  }, noteMs);
  socket.onopen = () => (ticker.connections += 1);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if ('tick' in message) {
      ticker.ticks += 1;
      if (message.tick !== (tick += 1)) ticker.wrong += 1;
    } else {
      ticker.echoes += 1;
      if (message.echo !== (echoed += 1)) ticker.wrong += 1;
    }
  };
  socket.onclose = () => {
    clearInterval(asking);
    setTimeout(followTicker, retryMs);
  };
  socket.onerror = () => undefined; // `close` follows
}

/** Sends lines and checks that each is confirmed once, in order. */
function writeJournal() {
  let sent = 0;
  let noted = 0;
  let rest = '';
  const socket = connect({ host: journalHost, port: Number(journalPort), noDelay: true });
  const writing = setInterval(() => {
    if (!socket.connecting) socket.write(`note ${(sent += 1)}\n`);
  }, noteMs);
  socket.setEncoding('utf8');
  socket.on('connect', () => (journal.connections += 1));
  socket.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      journal.notes += 1;
      noted += 1;
      if (line !== `noted ${noted} note ${noted}`) journal.wrong += 1;
    }
  });
  socket.on('error', () => undefined); // `close` follows
  socket.on('close', () => {
    clearInterval(writing);
    setTimeout(writeJournal, retryMs);
  });
}

const server = createServer(async (request, response) => {
  const answer = (status, content) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
  if (request.url !== '/') return answer(404, { error: 'try /' });
  try {
    const prices = await askPrices('/price/tea');
    const isWhole = ticker.wrong === 0 && journal.wrong === 0;
    answer(isWhole ? 200 : 500, { shop: 'open', prices, ticker, journal });
  } catch (error) {
    answer(502, { error: error.message, ticker, journal });
  }
});
server.keepAliveTimeout = 60_000;

followTicker();
writeJournal();
server.listen(Number(process.env.PORT ?? 7001), '127.0.0.1');
