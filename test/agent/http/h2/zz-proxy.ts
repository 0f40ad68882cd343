import { startProxy } from './proxies.ts';
const proxy = await startProxy({ from: 'h2', to: 'h2', appPort: Number(process.argv[2]), side: 'outbound', maxStreams: 1000 });
process.send!({ port: proxy.port });
process.on('message', () => { const c = process.cpuUsage(); process.send!({ cpu: c.user + c.system, ends: proxy.ends.length }); proxy.ends.length = 0; });
