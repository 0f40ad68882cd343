import { fork } from 'node:child_process';
import { createServer, connect } from 'node:net';
import { createH2Session } from '#agent/h2/session.ts';
import { defaultH2Times } from '#agent/h2/session-options.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { systemClock } from '#runtime/system-clock.ts';
const f = (t: string) => t.split('|').map((l) => { const e = l.indexOf(': ', 1); return { name: l.slice(0, e), rawName: l.slice(0, e), value: l.slice(e + 2) }; });
const settings = { windowBytes: 1 << 20, sessionWindowBytes: 1 << 24, maxStreams: 1000, maxHeaderListBytes: 65536, maxHeaders: 200, connect: 'allow', unreadCeilingBytes: 1 << 25 } as const;
const resp = f(':status: 200|content-type: application/grpc+proto|grpc-accept-encoding: identity,deflate,gzip|grpc-encoding: identity'); const trail = f('grpc-status: 0|grpc-message: OK');
const call = f(':method: POST|:scheme: http|:path: /helloworld.Greeter/SayHello|:authority: 127.0.0.1:9101|content-type: application/grpc|te: trailers|grpc-accept-encoding: identity,deflate,gzip|user-agent: grpc-node-js/1.14.7|accept-encoding: identity');
const msg = Buffer.alloc(30);
const srv = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (s) => { createH2Session({ role: 'server', pipe: new TcpPipe(s), settings, times: defaultH2Times, clock: systemClock, handler: { onStream(st) { st.handler = { onHeaders() {}, onData() {}, onEnd() { st.headers(resp, false); st.data(msg); st.headers(trail, true); }, onReset() {}, onDrain() {} }; }, onReady() {}, onGoaway() {}, onClosed() {} } }); });
await new Promise<void>((r) => srv.listen(0, '127.0.0.1', r));
const hops = Number(process.argv[2] ?? 1); const vary = process.argv[3] === 'vary';
let port = (srv.address() as any).port; const kids: any[] = [];
for (let i = 0; i < hops; i++) { const k = fork(new URL('./zz-proxy.ts', import.meta.url), [String(port)], { execArgv: ['--conditions=source'] }); kids.push(k); port = (await new Promise<any>((r) => k.once('message', r))).port; }
let done = 0; let at = 0;
for (let c = 0; c < 8; c++) {
  const s = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }); s.pause(); await new Promise((r) => s.once('connect', r));
  const sess: any = createH2Session({ role: 'client', pipe: new TcpPipe(s), settings, times: defaultH2Times, clock: systemClock, handler: { onStream() {}, onReady() { for (let i = 0; i < 8; i++) next(); }, onGoaway() {}, onClosed(r) { console.log('closed', r); } } });
  const next = () => { const st = sess.request(vary ? [...call, { name: 'grpc-timeout', rawName: 'grpc-timeout', value: (5000 + at++ % 900) + 'm' }] : call, false, { onHeaders(_: any, end: boolean) { if (end) { done++; setImmediate(next); } }, onData() {}, onEnd() {}, onReset(c: number) { console.log('reset', c); }, onDrain() {} }); st.data(msg); st.end(); };
}
const ask = (k: any) => new Promise<any>((r) => { k.once('message', r); k.send('x'); });
await new Promise((r) => setTimeout(r, 4000));
for (const k of kids) k.a = await ask(k); const d0 = done; const t0 = process.hrtime.bigint();
await new Promise((r) => setTimeout(r, 4000));
const n = done - d0; for (const k of kids) { const b = await ask(k); console.log('cpu us/call', ((b.cpu - k.a.cpu) / b.ends).toFixed(2), 'ends', b.ends); }
console.log('calls/s', n / 4, vary ? 'vary' : 'same');
for (const k of kids) k.kill(); process.exit(0);
