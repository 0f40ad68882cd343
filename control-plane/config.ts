import { z } from 'zod';
import { isTrustDomain } from '#certs/spiffe-id.ts';
import { readDocument } from '#runtime/documents.ts';
import type { Level } from '#runtime/log.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { RateLimit } from './limits.ts';
import { maxTokenLifeMs } from './registry/model.ts';

/** Where the key that encrypts the CA's keys comes from. `generated`: a file in the data directory, made at first start. */
export type KeySource =
  | { readonly kind: 'generated' }
  | { readonly kind: 'key-file'; readonly path: string }
  | { readonly kind: 'passphrase-file'; readonly path: string };

export interface TokensConfig {
  /** An https URL; `iss` of every token, byte for byte. */
  readonly issuer: string;
  readonly lifeMs: number;
  /** How long a key signs. */
  readonly keyLifeMs: number;
  /** HTTPS for clients that are not agents; undefined: agents only. */
  readonly http: TokensHttpConfig | undefined;
}

export interface TokensHttpConfig {
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM of a certificate for the issuer's host, with its chain, and its key. */
  readonly certFile: string;
  readonly keyFile: string;
}

export interface ControlPlaneConfig {
  readonly trustDomain: string;
  readonly dataDir: string;
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly svidLifeMs: number;
  readonly keySource: KeySource;
  /** Folder whose `*.yaml` files are policies of the mesh; undefined: only the operator applies them. */
  readonly policies: string | undefined;
  /** Undefined: no tokens are issued here. */
  readonly tokens: TokensConfig | undefined;
  readonly limits: {
    /** Certificates per SPIFFE ID. */
    readonly issuePerIdentity: RateLimit;
    /** Attestations that failed, per address (IPv6: per /64). */
    readonly failedAttestationsPerAddress: RateLimit;
    /** Requests for tokens, per client. */
    readonly tokensPerClient: RateLimit;
    /** Clients that did not prove who they are, per address (IPv6: per /64). */
    readonly failedClientsPerAddress: RateLimit;
  };
  readonly log: Level;
}

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

function toMs(text: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  return Number(amount) * units[unit as keyof typeof units];
}

const durationMs = z
  .string()
  .regex(/^[1-9]\d{0,8}(ms|s|m|h)$/, 'write 10s, 5m or 1h')
  .transform(toMs);

const hostAndPort = z.string().transform((text, context) => {
  const [, bracketed, plain, port] = /^(?:\[([\da-fA-F:]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) <= 65_535) return { host, port: Number(port) };
  context.addIssue('write 127.0.0.1:9443 or [::1]:9443');
  return z.NEVER;
});

const rateLimit = z
  .strictObject({ burst: z.int().min(1).max(1_000_000), perSecond: z.number().positive().max(1_000_000) })
  .readonly();

const path = z.string().min(1);

/** RFC 8414, section 2. */
const issuer = z.string().refine((text) => {
  const url = URL.parse(text);
  return url?.protocol === 'https:' && !/[?#@*\s]/.test(text) && text.length <= 512;
}, 'write an https URL without query and fragment, e.g. https://sts.shop.example');

const tokens = z
  .strictObject({
    issuer,
    life: durationMs.refine((ms) => ms >= 1_000 && ms <= maxTokenLifeMs, 'between 1s and 15m').default(300_000),
    keyLife: durationMs
      .refine((ms) => ms >= 20_000 && ms <= 90 * 24 * 3_600_000, 'between 20s and 2160h')
      .default(86_400_000),
    listen: hostAndPort.optional(),
    certFile: path.optional(),
    keyFile: path.optional(),
  })
  .refine((all) => new Set([all.listen, all.certFile, all.keyFile].map((each) => each === undefined)).size === 1, {
    path: ['listen'],
    message: 'needs certFile and keyFile, and they need it',
  })
  .transform(({ issuer: named, life, keyLife, listen, certFile, keyFile }): TokensConfig => {
    const isServed = listen !== undefined && certFile !== undefined && keyFile !== undefined;
    const http = isServed ? { listen, certFile, keyFile } : undefined;
    return { issuer: named, lifeMs: life, keyLifeMs: keyLife, http };
  });

/** Every setting there is; `docs/reference.md` is checked against it. */
export const controlPlaneDocument = z
  .strictObject({
    trustDomain: z.string().refine(isTrustDomain, 'write a lower-case name such as shop.example'),
    dataDir: path.default('.eastwest/control-plane'),
    listen: hostAndPort.default({ host: '127.0.0.1', port: 9443 }),
    svidLife: durationMs.refine((ms) => ms >= 5000 && ms <= 24 * 3_600_000, 'between 5s and 24h').default(3_600_000),
    keyFile: path.optional(),
    passphraseFile: path.optional(),
    policies: path.optional(),
    tokens: tokens.optional(),
    limits: z
      .strictObject({
        issuePerIdentity: rateLimit.default({ burst: 60, perSecond: 5 }),
        failedAttestationsPerAddress: rateLimit.default({ burst: 30, perSecond: 0.5 }),
        tokensPerClient: rateLimit.default({ burst: 1_000, perSecond: 100 }),
        failedClientsPerAddress: rateLimit.default({ burst: 30, perSecond: 0.5 }),
      })
      .prefault({}),
    log: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  })
  .refine(({ keyFile, passphraseFile }) => keyFile === undefined || passphraseFile === undefined, {
    path: ['passphraseFile'],
    message: 'give keyFile or passphraseFile, not both',
  });

/** Settings from the command line, with the file's names; they win over the file's. */
export type ControlPlaneFlags = Partial<
  Record<'trustDomain' | 'dataDir' | 'listen' | 'svidLife' | 'keyFile' | 'passphraseFile' | 'policies' | 'log', string>
>;

/** `text` is `control-plane.yaml`, `''` when there is none. All problems at once, one a line. */
export function parseControlPlaneConfig(
  text: string,
  flags: ControlPlaneFlags = {},
): Result<ControlPlaneConfig, string> {
  const document = readDocument(text);
  if (!document.ok) {
    const { problem, line, column } = document.reason;
    return refuse(`line ${line}, column ${column}: ${problem}`);
  }
  const settings = document.value ?? {};
  if (typeof settings !== 'object' || Array.isArray(settings)) return refuse('write settings as name: value');
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const parsed = controlPlaneDocument.safeParse({ ...settings, ...given });
  if (!parsed.success) return refuse(z.prettifyError(parsed.error));
  const { svidLife, keyFile, passphraseFile, policies, tokens: issuing, ...rest } = parsed.data;
  const keySource = toKeySource(keyFile, passphraseFile);
  return ok(Object.freeze({ ...rest, svidLifeMs: svidLife, keySource, policies, tokens: issuing }));
}

function toKeySource(keyFile: string | undefined, passphraseFile: string | undefined): KeySource {
  if (keyFile !== undefined) return { kind: 'key-file', path: keyFile };
  return passphraseFile === undefined ? { kind: 'generated' } : { kind: 'passphrase-file', path: passphraseFile };
}
