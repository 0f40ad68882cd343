// The twin of prices.py, for machines without Python. Settings: PORT, ORDERS_URL.
import { createHash } from 'node:crypto';
import { Agent, createServer, get } from 'node:http';

const ordersUrl = process.env.ORDERS_URL ?? 'http://127.0.0.1:7103';
const agent = new Agent({ keepAlive: true });
const tickMs = 100;
const [text, close, ping, pong] = [1, 8, 9, 10];
const maxFrameBytes = 65_536;

function askOrders(path) {
  return new Promise((resolve, reject) => {
    const request = get(new URL(path, ordersUrl), { agent, timeout: 10_000 }, async (answer) => {
      try {
        const body = (await answer.toArray()).join('');
        if (answer.statusCode !== 200) throw new Error(`orders answered ${answer.statusCode}: ${body.slice(0, 200)}`);
        resolve(JSON.parse(body));
      } catch (error) {
        reject(error);
      }
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error('orders did not answer')));
  });
}

const server = createServer(async (request, response) => {
  const answer = (status, content) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
  const item = /^\/price\/(\w+)$/.exec(request.url ?? '')?.[1];
  if (item === undefined) return answer(404, { error: 'try /price/tea' });
  try {
    const orders = await askOrders(`/orders/${item}`);
    const caller = request.headers['x-forwarded-client-cert'] ?? null;
    answer(200, { item, price: 100 + orders.ordered, caller, orders });
  } catch (error) {
    answer(502, { error: error.message });
  }
});
server.keepAliveTimeout = 60_000;

/** WebSocket /ticker: the next number every 100 ms; every text comes back. */
server.on('upgrade', (request, socket) => {
  socket.on('error', () => undefined);
  const key = request.headers['sec-websocket-key'];
  if (request.url !== '/ticker' || key === undefined) return socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const send = (opcode, payload) => {
    const long = payload.length > 125;
    const head = Buffer.from([
      0x80 | opcode,
      long ? 126 : payload.length,
      ...(long ? [payload.length >> 8, payload.length & 255] : []),
    ]);
    socket.write(Buffer.concat([head, payload]));
  };
  let number = 0;
  const ticking = setInterval(() => send(text, Buffer.from(JSON.stringify({ tick: (number += 1) }))), tickMs);
  socket.on('close', () => clearInterval(ticking));
  socket.on('end', () => socket.end());
  let rest = Buffer.alloc(0);
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    for (let frame = readFrame(rest); frame !== undefined; frame = readFrame(rest)) {
      if (frame.broken) return socket.destroy();
      rest = rest.subarray(frame.end);
      if (frame.opcode === close) {
        send(close, frame.payload.subarray(0, 2));
        return socket.end();
      }
      if (frame.opcode === text) send(text, frame.payload);
      if (frame.opcode === ping) send(pong, frame.payload);
    }
  });
});

/** One unfragmented, masked frame of a client (RFC 6455, section 5.2); undefined while it is not all there. */
function readFrame(bytes) {
  if (bytes.length < 2) return undefined;
  const short = bytes[1] & 0x7f;
  const maskAt = short === 126 ? 4 : 2;
  if (bytes.length < maskAt + 4) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short;
  if (short === 127 || length > maxFrameBytes || (bytes[1] & 0x80) === 0) return { broken: true };
  const end = maskAt + 4 + length;
  if (bytes.length < end) return undefined;
  const payload = Buffer.from(bytes.subarray(maskAt + 4, end)).map((byte, i) => byte ^ bytes[maskAt + (i % 4)]);
  return { opcode: bytes[0] & 15, payload: Buffer.from(payload), end };
}

server.listen(Number(process.env.PORT ?? 7002), '127.0.0.1');
