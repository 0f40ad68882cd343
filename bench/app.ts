import { join } from 'node:path';
import { startProcess, type Running, type StartOptions } from './running.ts';
import type { Protocol } from './subjects/subject.ts';

/**
 * What every pair stands in front of, made of this project's own files. `http`: GETs and bodies; `grpc` and `echo`: what
 * is sent comes back; `identity`: in gRPC's place while duties are checked.
 */
export type AppKind = 'http' | 'grpc' | 'echo' | 'identity';

export const appOf = { http: 'http', http2: 'grpc', tcp: 'echo' } as const satisfies Record<Protocol, AppKind>;

let apps = 0;

export function startApp(
  kind: AppKind,
  port: number,
  options: StartOptions & { readonly workDir: string },
): Promise<Running> {
  apps += 1;
  const main = join(import.meta.dirname, 'app', 'main.ts');
  const launch = {
    dir: join(options.workDir, `app-${apps}`),
    files: {},
    words: ['--conditions=source', main, kind, String(port)],
    ready: { kind: 'port-open', port },
  } as const;
  return startProcess('node', launch, options);
}
