import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ask, http2Client } from '#support/h2-apps.ts';
import { send, sendRaw } from '#support/pair-world.ts';
import { policy } from '#support/pushed-policies.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

/** An app that writes down the methods it hears. */
async function hearing(allowed: string) {
  const heard: string[] = [];
  const app = await world.httpApp((incoming, reply) => {
    heard.push(incoming.method ?? '');
    incoming.resume().on('end', () => reply.end());
  });
  const { port, prices } = await world.pair(app, { allow: [], protocol: 'http' });
  prices.push(policy(allowed));
  return { port, prices, heard };
}

const methods = (list: string): string => `{ rules: [{ to: [{ operation: { methods: [${list}] } }] }] }`;
const denied = (list: string): string =>
  `${policy('{ allow: all }', 'all')}${policy(methods(list).replace('{ rules', '{ action: DENY, rules'), 'no')}`;

describe('a method is what rules know it as, or refused (A57)', () => {
  test.each([
    ['GET', '200'],
    ['DELETE', '403'],
    ['TRACE', '403'],
    ['PURGE', '403'],
    ['FROBNICATE', '403'],
    ['get', '501'],
    ['Get', '501'],
    ['delete', '501'],
  ])('%s is answered %s where GET and POST are allowed', async (method, status) => {
    const { port, heard } = await hearing(methods('GET, POST'));
    const said = await sendRaw(port, `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(said.slice(9, 12)).toBe(status);
    expect(heard).toEqual(status === '200' ? [method] : []);
  });

  test('TRACE is the app’s where a rule names it, CONNECT is nobody’s', async () => {
    const { port, heard } = await hearing(methods('"*"'));
    expect(await sendRaw(port, 'TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 200/);
    expect(await sendRaw(port, 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n')).toMatch(/^HTTP\/1\.1 502/);
    expect(heard).toEqual(['TRACE']);
  });

  test.each(['X-HTTP-Method-Override', 'x-http-method', 'X_Method_Override'])(
    'a POST with %s is judged as POST and as what it asks to be, and delivered as it came',
    async (name) => {
      const { port, prices, heard } = await hearing(methods('GET, POST'));
      const posts = async (value: string) => (await send(port, { method: 'POST', headers: { [name]: value } })).status;
      expect([await posts('DELETE'), await posts(' delete'), await posts('GET'), await posts('POST')]).toEqual([
        ...[403, 403, 200, 200],
      ]);
      expect((await send(port, { headers: { [name]: 'DELETE' } })).status, 'of a GET no app takes it').toBe(200);
      expect(heard).toEqual(['POST', 'POST', 'GET']);
      prices.push(denied('DELETE'));
      const refused = await send(port, { method: 'POST', headers: { [name]: 'DELETE' } });
      expect(refused.status).toBe(403);
      const told = prices.decision(String(refused.headers['x-eastwest-decision']));
      expect(told).toMatchObject({
        rule: 'default/no rules[0]',
        explanation: { verdict: 'deny', request: { method: 'DELETE' } },
      });
      expect(await posts('PUT')).toBe(200);
    },
  );

  test.each(['DELETE, GET', 'delete,', 'POST,DELETE', ' ,DELETE, ,'])(
    'a list (%s) is judged as its first method and as its last: apps differ in which they take (A57)',
    async (value) => {
      const { port, prices, heard } = await hearing(methods('GET, POST'));
      const post = async () =>
        (await send(port, { method: 'POST', headers: { 'x-http-method-override': value } })).status;
      expect(await post()).toBe(403);
      prices.push(denied('DELETE'));
      expect(await post()).toBe(403);
      expect(heard).toEqual([]);
      prices.push(denied('PUT'));
      expect(await post()).toBe(200);
    },
  );

  test('by HTTP/2, too', async () => {
    const { port } = await hearing(methods('POST'));
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const post = (headers: Record<string, string>) =>
      ask(session, { ':method': 'POST', ':path': '/', ...headers }, 'a');
    expect((await post({})).status).toBe(200);
    expect((await post({ 'x-http-method-override': 'PUT' })).status).toBe(403);
  });
});

describe('a connection on which something was refused (A60)', () => {
  test.each([
    ['without a body', 'DELETE / HTTP/1.1\r\nHost: a\r\n\r\n'],
    [
      'with a body that looks like a request',
      (body: string) => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    ],
    [
      'with one in chunks',
      (body: string) =>
        `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
  ])('%s is closed, or takes the next request for the next one', async (_what, refused) => {
    const { port, heard } = await hearing(methods('GET'));
    const body = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    world.onEnd(() => socket.destroy());
    let said = '';
    socket.on('data', (bytes: Buffer) => (said += bytes.toString('latin1')));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(typeof refused === 'string' ? refused : refused(body));
    await expect.poll(() => said).toMatch(/^HTTP\/1\.1 403 /);
    socket.write('GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await closed;
    const statuses = [...said.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);
    expect([['403'], ['403', '200']]).toContainEqual(statuses);
    expect(heard, 'nothing of the refused body').toEqual(statuses.length === 1 ? [] : ['GET']);
  });
});
