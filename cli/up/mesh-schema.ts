import { z } from 'zod';
import { isTrustDomain } from '#certs/spiffe-id.ts';
import { parseDuration } from '#cli/time-text.ts';

const minSvidLifeMs = 5_000;
const maxSvidLifeMs = 24 * 3_600_000;

const name = z
  .string('write a name')
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'write a DNS label: a-z, 0-9 and "-", at most 63, e.g. prices');
const port = z
  .int('write a port, 1 to 65535')
  .min(1, 'write a port, 1 to 65535')
  .max(65_535, 'write a port, 1 to 65535');
const argv = z
  .array(z.string('write a list of strings'), 'write a list of strings, e.g. [node, app.js]')
  .min(1, 'is empty');
const duration = z.string('write a duration, e.g. 20s').transform((text, context) => {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  context.issues.push({ code: 'custom', input: text, message: 'write a duration: 500ms, 25s, 2m or 1h' });
  return z.NEVER;
});
const protocol = z.enum(['http', 'http2', 'tcp', 'auto'], 'write http, http2, tcp or auto');

const workersHint = 'write a whole number, 1 to 64';

const listens = z.strictObject({
  port,
  protocol: protocol.default('auto'),
  listen: port.optional(),
  mode: z.enum(['strict', 'permissive'], 'write strict or permissive').default('strict'),
  proxyProtocol: z.literal('v2', 'write v2').optional(),
});
const calls = z.strictObject({ to: name, port: port.optional(), listen: port.optional() });

const workload = z.strictObject({
  name,
  run: argv,
  otherwise: argv.optional(),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string('write it in quotes: "7001"')).default({}),
  listens: z.array(listens).max(100).default([]),
  calls: z.array(calls).max(100).default([]),
  capture: z.enum(['upstreams', 'http-proxy'], 'write upstreams or http-proxy').default('upstreams'),
  workers: z.int(workersHint).min(1, workersHint).max(64, workersHint).default(1),
});

const traffic = z.strictObject({
  url: z.url({ protocol: /^http$/, error: 'write a URL, e.g. http://127.0.0.1:7001/' }),
  perSecond: z.number('write a number').positive().max(10_000),
  deadline: duration.default(5_000),
});

/** Strict: a misspelt name is a problem, not a default. */
export const meshDocument = z.strictObject({
  name,
  trustDomain: z
    .string()
    .refine(isTrustDomain, 'write a trust domain: a-z, 0-9, ".", "-", "_", e.g. shop.example')
    .optional(),
  svidLife: duration
    .refine((ms) => ms >= minSvidLifeMs && ms <= maxSvidLifeMs, 'write a duration from 5s to 24h')
    .default(3_600_000),
  workloads: z.array(workload, 'list the workloads').min(1, 'list at least one workload').max(64),
  traffic: z.array(traffic).max(16).default([]),
  admit: z.enum(['calls', 'policies'], 'write calls or policies').default('calls'),
  accessLog: z.boolean('write true or false').default(true),
});

/** The settings there are at this place of the document, e.g. `['workloads', 0, 'listens', 1]`. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  const at = path.filter((part) => typeof part === 'string').join('.');
  const objects = {
    '': meshDocument,
    workloads: workload,
    'workloads.listens': listens,
    'workloads.calls': calls,
    traffic,
  };
  return Object.keys((objects as Record<string, z.ZodObject>)[at]?.shape ?? {});
}

export type MeshDocument = z.output<typeof meshDocument>;
