import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** Bytes that an app answers, in Latin-1; with `after`, how it leaves. */
export interface ScriptedAnswer {
  readonly bytes: string;
  /** `stay` when not given: it waits for the next request. */
  readonly after?: 'end' | 'reset' | 'stay';
}

export interface ScriptedApp extends AsyncDisposable {
  readonly port: number;
  /** Connections so far. */
  readonly connections: number;
}

/** An app without any library: reads heads of requests without a body, and answers each path as the script says. */
export async function startScriptedApp(script: (path: string) => ScriptedAnswer): Promise<ScriptedApp> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    socket.once('end', () => socket.end());
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => {
      text += piece;
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const path = text.slice(0, end).split(' ')[1] ?? '';
        text = text.slice(end + 4);
        const { bytes, after = 'stay' } = script(path);
        if (after === 'end') socket.end(bytes, 'latin1');
        else if (after === 'stay') socket.write(bytes, 'latin1');
        else socket.write(bytes, 'latin1', () => socket.resetAndDestroy());
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
