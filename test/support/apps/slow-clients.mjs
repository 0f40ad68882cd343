// Clients that take their time, each in its own way, on standard input's JSON: { httpPort, tcpPort, inboundPort, cert, key,
// ca, clients, rampMs }. Whoever is disconnected comes back a second later. Says at the end of standard input what happened.
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const chunks = [];
let begun = false;
const told = {};
const count = (kind, what) => {
  told[kind] ??= { opened: 0, ended: 0, answered: 0 };
  told[kind][what] += 1;
};

process.stdin.on('data', (piece) => {
  if (begun) return;
  chunks.push(piece);
  const text = Buffer.concat(chunks).toString();
  if (!text.endsWith('\n')) return;
  begun = true;
  begin(JSON.parse(text));
});
process.stdin.on('end', () => {
  process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0));
});

function begin(plan) {
  const host = '127.0.0.1';
  const plain = (port) => connect({ host, port });
  const secured = (alpn) =>
    connectTls({
      ...{ host, port: plan.inboundPort, cert: plan.cert, key: plan.key, ca: plan.ca, ALPNProtocols: alpn },
      checkServerIdentity: () => undefined,
    });
  const drip = (socket, first, everyMs) => {
    socket.write(first);
    const timer = setInterval(() => socket.write('x'), everyMs);
    socket.once('close', () => clearInterval(timer));
    return socket;
  };
  const halfHead = 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ';
  const unread = (socket, said) => {
    socket.pause();
    socket.write(said);
    return socket;
  };
  /** One connection, 20 streams, no window for any of them. */
  const stalled = (options) => {
    const session = connectHttp2('http://prices', { settings: { initialWindowSize: 0, enablePush: false }, ...options });
    session.on('error', () => undefined);
    for (let number = 0; number < 20; number += 1) {
      const stream = session.request({ ':path': '/flood' });
      stream.on('error', () => undefined);
      stream.on('response', () => count(options.kind, 'answered'));
    }
    return session;
  };
  const kinds = {
    'slow head': [20, () => drip(plain(plan.httpPort), halfHead, 1_000)],
    'slow body': [
      15,
      () => drip(plain(plan.httpPort), 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n', 1_000),
    ],
    'slow reader': [15, () => unread(plain(plan.httpPort), 'GET /flood HTTP/1.1\r\nHost: a\r\n\r\n')],
    'stalled windows': [5, () => stalled({ kind: 'stalled windows', createConnection: () => plain(plan.httpPort) })],
    'opaque reader': [10, () => unread(plain(plan.tcpPort), 'hello')],
    'stalled handshake': [20, () => drip(plain(plan.inboundPort), Buffer.from('1603010200010001fc0303', 'hex'), 2_000)],
    'silent peer': [5, () => secured(['h2'])],
    'slow head of a peer': [5, () => drip(secured(['http/1.1']), halfHead, 1_000)],
    'stalled windows of a peer': [
      5,
      () => stalled({ kind: 'stalled windows of a peer', createConnection: () => secured(['h2']) }),
    ],
  };
  const all = Object.entries(kinds).flatMap(([kind, [percent, open]]) =>
    Array.from({ length: Math.round((plan.clients * percent) / 100) }, () => ({ kind, open })),
  );
  for (const [index, { kind, open }] of shuffled(all).entries()) {
    const again = () => {
      count(kind, 'opened');
      const one = open();
      one.on('error', () => undefined);
      one.once('close', () => {
        count(kind, 'ended');
        setTimeout(again, 1_000);
      });
    };
    setTimeout(again, (index * plan.rampMs) / all.length);
  }
}

/** In an order of its own that is the same each time. */
function shuffled(list) {
  const keyed = list.map((item, index) => [(index * 7_919) % list.length, index, item]);
  return keyed.toSorted(([a, i], [b, j]) => a - b || i - j).map(([, , item]) => item);
}
