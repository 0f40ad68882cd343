import type { Readable } from 'node:stream';

/** One document for workloads of the test domain's namespace, in our dialect; several are joined as they are. */
export function policy(spec: string, name = 'rules'): string {
  return `apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { namespace: default, name: ${name} }
spec: ${spec}
---
`;
}

/** Reads everything; resolves once the other end is gone. */
export function gone(stream: Readable): Promise<unknown> {
  stream.on('error', () => undefined).resume();
  return new Promise((resolve) => stream.once('close', resolve));
}
