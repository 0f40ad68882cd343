import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '#bench/programs.ts';
import { envoy, envoyHttp1 } from '#bench/subjects/envoy.ts';
import type { Launch, Place } from '#bench/subjects/subject.ts';
import { untilOpen } from './until-open.ts';

export type EnvoyRole =
  /** Takes plain HTTP/1.1, HTTP/2 or bytes, and speaks to its peer in the version named. */
  | { readonly side: 'egress'; readonly upstream: 'http1' | 'http2' }
  /** Demands cart's certificate and takes whatever ALPN is offered. */
  | { readonly side: 'ingress' };

/** One real Envoy, configured as in the bench: TLS 1.3 both ways, the peer's SPIFFE ID checked, RBAC for cart alone. */
export async function startEnvoy(place: Place, role: EnvoyRole): Promise<AsyncDisposable> {
  const subject = role.side === 'egress' && role.upstream === 'http1' ? envoyHttp1 : envoy;
  const { files, words, dir }: Launch = role.side === 'egress' ? subject.egress(place) : subject.ingress(place);
  mkdirSync(dir, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const child = spawn(findProgram('envoy') ?? 'envoy', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  await untilOpen(role.side === 'egress' ? place.egressPort : place.ingressPort);
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
