import { z } from 'zod';
import type { AccessLogConfig } from './config-types.ts';
import { path } from './config-values.ts';

const shareHint = 'write a number, 0 to 1';

export const accessLog = z.strictObject({
  to: z
    .union(
      [z.enum(['stdout', 'stderr']), z.strictObject({ file: path })],
      'write stdout, stderr or { file: /var/log/access.log }',
    )
    .default('stdout'),
  sample: z.number(shareHint).min(0, shareHint).max(1, shareHint).default(1),
  failures: z.enum(['always', 'sampled'], 'write always or sampled').default('always'),
});

export function accessLogSettings({ to, ...rest }: z.output<typeof accessLog>): AccessLogConfig {
  return { to: typeof to === 'string' ? { kind: to } : { kind: 'file', path: to.file }, ...rest };
}
