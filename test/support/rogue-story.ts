import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startReadyAgent, type AgentProcess } from './agent-process.ts';
import { startTcpApp } from './apps.ts';
import { createIdentityFolder } from './identity-folder.ts';
import { dialAsRogue, serveAsRogue, type Rogue } from './rogue-peer.ts';
import { createTestCa, type TestAuthority, type TestCertificate } from './test-ca.ts';

export type RogueWay =
  /** Proves itself as it should, three certificates long, and then says nothing more. */
  | 'honest, then silent'
  | 'silent'
  /** Proves itself once, and sends the same bytes when it is asked again. */
  | 'replays its old authenticator'
  /** A good certificate of the same authority, of another workload. */
  | 'shows another identity'
  | 'sends garbage';

export interface RogueEnd {
  /** From the last certificate's expiry, or from what the rogue did wrong, to the end of its stream: ms. */
  readonly lateMs: number;
  /** Certificates that the rogue proved before. */
  readonly proved: number;
  /** As the agent said in `session.proof-failed`. */
  readonly reason: string;
}

/** What the rogue showed, and what it did wrong. */
class RogueLife implements Rogue {
  /** A certificate of its own, or of another workload, that lives from now. */
  readonly leaf: (workload?: string) => TestCertificate & { readonly notAfterMs: number };
  readonly #way: RogueWay;
  readonly #lifeMs: number;
  #old: Buffer | undefined;
  proved = 0;
  /** When the session must be over. */
  dueAtMs = 0;

  constructor(way: RogueWay, lifeMs: number, leaf: RogueLife['leaf']) {
    this.#way = way;
    this.#lifeMs = lifeMs;
    this.leaf = leaf;
  }

  onAsked(_request: Buffer, tell: { proof(certificate: TestCertificate): Buffer; send(bytes: Buffer): void }): void {
    if (this.#way === 'silent' || (this.#way === 'honest, then silent' && this.proved === 3)) return;
    setTimeout(() => tell.send(this.#answer(tell)), this.#lifeMs / 2);
  }

  #answer(tell: { proof(certificate: TestCertificate): Buffer }): Buffer {
    const wrong = (bytes: Buffer): Buffer => {
      this.dueAtMs = Date.now();
      return bytes;
    };
    if (this.#way === 'sends garbage') return wrong(Buffer.from('garbage, and more of it'));
    if (this.#way === 'shows another identity') return wrong(tell.proof(this.leaf('refunds')));
    if (this.#old !== undefined && this.#way === 'replays its old authenticator') return wrong(this.#old);
    const next = this.leaf();
    this.proved += 1;
    this.dueAtMs = next.notAfterMs;
    this.#old = tell.proof(next);
    return this.#old;
  }
}

/** A rogue that dials an agent of ours, under `whenExpired: end`. */
export async function rogueCaller(way: RogueWay, lifeMs: number): Promise<RogueEnd> {
  await using stack = new AsyncDisposableStack();
  const ca = createTestCa({ nowMs: Date.now() });
  const app = stack.use(await startTcpApp());
  const folder = stack.use(createIdentityFolder());
  folder.write(ca.leaf('prices'), [ca]);
  const allow = ['spiffe://shop.example/ns/default/sa/cart'];
  const agent = stack.use(
    await startReadyAgent({
      ...common('prices', folder.path),
      inbound: { listen: '127.0.0.1:0', ports: [{ port: app.address.port, protocol: 'tcp', allow }] },
    }),
  );
  const { port } = await agent.address('inbound');
  const rogue = new RogueLife(way, lifeMs, leafMaker(ca, 'cart', lifeMs));
  const certificate = rogue.leaf();
  rogue.dueAtMs = certificate.notAfterMs;
  const session = await dialAsRogue({ port, authority: app.at }, { ca, certificate }, rogue);
  stack.defer(() => session.close());
  return await endOf(agent, rogue, session.endedAtMs);
}

/** A rogue that an agent of ours dials, with a TCP connection of the agent's app through it. */
export async function rogueServer(way: RogueWay, lifeMs: number): Promise<RogueEnd> {
  await using stack = new AsyncDisposableStack();
  const ca = createTestCa({ nowMs: Date.now() });
  const rogue = new RogueLife(way, lifeMs, leafMaker(ca, 'prices', lifeMs));
  const roguePort = await freePort();
  const folder = stack.use(createIdentityFolder());
  folder.write(ca.leaf('cart'), [ca]);
  const upstream = {
    workload: 'prices',
    port: 7002,
    listen: '127.0.0.1:0',
    protocol: 'tcp',
    spiffeId: 'spiffe://shop.example/ns/default/sa/prices',
    endpoints: [`127.0.0.1:${roguePort}`],
  };
  const agent = stack.use(
    await startReadyAgent({ ...common('cart', folder.path), outbound: { upstreams: [upstream] } }),
  );
  const { port } = await agent.address('upstream prices:7002');
  const certificate = rogue.leaf(); // its life begins when everything else is there
  rogue.dueAtMs = certificate.notAfterMs;
  stack.use(await serveAsRogue(roguePort, { ca, certificate }, rogue));
  const socket = connect({ host: '127.0.0.1', port });
  stack.defer(() => void socket.destroy());
  socket.write('hello');
  await once(socket, 'data');
  socket.on('error', () => undefined); // a cut is a reset
  const endedAtMs = new Promise<number>((resolve) => socket.resume().once('close', () => resolve(Date.now())));
  return await endOf(agent, rogue, endedAtMs);
}

async function endOf(agent: AgentProcess, rogue: RogueLife, endedAtMs: Promise<number>): Promise<RogueEnd> {
  const lateMs = (await endedAtMs) - rogue.dueAtMs;
  await sleep(50); // its log line has its own way to us
  const { reason } = await agent.event('session.proof-failed');
  return { lateMs, proved: rogue.proved, reason };
}

function common(workload: string, dir: string) {
  return { workload, trustDomain: 'shop.example', identity: { files: { dir } }, whenExpired: 'end' };
}

/** Certificates that expire `lifeMs` from when they are made, at a whole second. */
function leafMaker(ca: TestAuthority, own: string, lifeMs: number): RogueLife['leaf'] {
  return (workload = own) => {
    const notAfterMs = Math.ceil((Date.now() + lifeMs) / 1000) * 1000;
    return { ...ca.leaf(workload, { notAfterMs }), notAfterMs };
  };
}
