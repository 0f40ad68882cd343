import { z } from 'zod';
import { isTrustDomain, parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import type { Address, InboundPortConfig } from './config-types.ts';

const addressForm = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9.-]{1,253})):(\d{1,5})$/;
const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

const durationHint = 'write a duration: 500ms, 25s, 2m or 1h';

export const workloadName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'write a DNS label: a-z, 0-9 and "-", at most 63, e.g. prices');
export const trustDomain = z
  .string()
  .refine(isTrustDomain, 'write a trust domain: a-z, 0-9, ".", "-", "_", e.g. shop.example');
/** Of a file or folder. */
export const path = z.string().min(1, 'write a path').max(4096);
export const portNumber = z.int('write a port, 1 to 65535').min(1).max(65_535);
/** `25s` as 25000. */
export const durationMs = z
  .string(durationHint)
  .regex(/^[1-9]\d{0,8}(ms|s|m|h)$/, durationHint)
  .transform((text) => parseInt(text, 10) * unitMs[/[a-z]+/.exec(text)![0] as keyof typeof unitMs]);

export function count({ atLeast = 1, atMost }: { atLeast?: number; atMost: number }) {
  const hint = `write a whole number, ${atLeast} to ${atMost}`;
  return z.int(hint).min(atLeast, hint).max(atMost, hint);
}

const tlvHint = 'write a type of the range for applications, 0xE0 to 0xEF';
/** Of the PROXY protocol. */
export const spiffeIdTlv = z.int(tlvHint).min(0xe0, tlvHint).max(0xef, tlvHint);

const spiffeIdHint = 'write spiffe://shop.example/ns/default/sa/prices';
export const spiffeId = z.string().transform((text, context): SpiffeId => {
  const parsed = parseSpiffeId(text);
  if (parsed.ok) return parsed.value;
  context.issues.push({ code: 'custom', input: text, message: `not a SPIFFE ID (${parsed.reason}): ${spiffeIdHint}` });
  return z.NEVER;
});

/** Who may call. */
export const allow = z
  .array(z.string())
  .max(1000)
  .transform((texts, context): InboundPortConfig['allow'] => {
    if (texts.length === 1 && texts[0] === '*') return 'any-peer';
    return texts.flatMap((text, index) => {
      const parsed = parseSpiffeId(text);
      if (parsed.ok) return [parsed.value];
      const message = `not a SPIFFE ID (${parsed.reason}): ${spiffeIdHint}, or ["*"] alone for every verified peer`;
      context.issues.push({ code: 'custom', input: text, path: [index], message });
      return [];
    });
  });

/** A place to listen: port 0 lets the system choose. */
export const listenAddress = address({ minPort: 0 });
/** A place to dial. */
export const peerAddress = address({ minPort: 1 });

function address({ minPort }: { minPort: 0 | 1 }) {
  return z.string().transform((text, context): Address => {
    const [, bracketed, plain, digits] = addressForm.exec(text) ?? [];
    const host = bracketed ?? plain;
    const port = Number(digits);
    if (host !== undefined && port >= minPort && port <= 65_535) return { host, port };
    context.issues.push({ code: 'custom', input: text, message: 'write host:port, e.g. 127.0.0.1:7002 or [::1]:7002' });
    return z.NEVER;
  });
}
