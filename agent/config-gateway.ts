import { z } from 'zod';
import type { GatewayConfig } from './config-types.ts';
import { count, listenAddress, path, portNumber, workloadName } from './config-values.ts';

const host = z
  .string()
  .toLowerCase()
  .max(253)
  .regex(
    /^(?:\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*)$/,
    'write a host name without a port, e.g. shop.example, or *.shop.example for the names right below it',
  );

/** As requests are compared with it: no dot segments, nothing that could be written in another way. */
const routePath = z
  .string()
  .max(1024)
  .regex(
    /^\/(?:[A-Za-z0-9_~!$&'()*+,=:@.-]+(?:\/[A-Za-z0-9_~!$&'()*+,=:@.-]+)*)?$/,
    'write / or /orders, without an end /',
  )
  .refine((text) => !text.split('/').some((segment) => segment === '.' || segment === '..'), 'no . or .. in it')
  .default('/');

const rate = z.strictObject({
  burst: count({ atMost: 1_000_000 }),
  perSecond: z.number('write a number, e.g. 100').positive().max(1_000_000),
});

export const gateway = z.strictObject({
  https: z.strictObject({ listen: listenAddress, certificate: path, key: path }).optional(),
  http: z.strictObject({ listen: listenAddress }).optional(),
  routes: z
    .array(z.strictObject({ host, path: routePath, workload: workloadName, port: portNumber }))
    .min(1, 'list at least one route')
    .max(1000),
  rateLimit: rate.default({ burst: 200, perSecond: 100 }),
});

export function gatewaySettings({ https, ...read }: z.output<typeof gateway>): GatewayConfig {
  return {
    https: https && { listen: https.listen, certificatePath: https.certificate, keyPath: https.key },
    http: read.http,
    routes: read.routes,
    rateLimit: read.rateLimit,
  };
}
