import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { HttpsConfig } from '#agent/config-types.ts';
import type { AgentEmit } from '#agent/events.ts';
import { readBoundedFile } from '#runtime/bounded-file.ts';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import { defaultFolderWatch, watchFolder } from '#runtime/file-watch.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

/** What the gateway shows to callers, in PEM. */
export interface ServerPair {
  readonly cert: string;
  readonly key: string;
  readonly serialHex: string;
  readonly notAfterMs: number;
}

export interface ServerCertificateParts {
  readonly config: HttpsConfig;
  readonly clock: Clock;
  readonly emit: AgentEmit;
  /** A pair that is whole and different from the one before. */
  readonly onPair: (pair: ServerPair) => void;
}

const maxFileBytes = 256 * 1024;
/** The two files are written one after the other: a pair that does not fit is looked at again before it is reported. */
const secondLookMs = 200;
/** How long the first pair may be awaited. */
const firstMs = 10_000;

/** Keeps what the gateway shows equal to its two files. A pair that is no good replaces nothing (A77). */
export class ServerCertificate {
  readonly #parts: ServerCertificateParts;
  #taken: { readonly digest: string; readonly pair: ServerPair } | undefined;
  #reported = '';

  constructor(parts: ServerCertificateParts) {
    this.#parts = parts;
  }

  /** Waits for the first good pair, and says what it waits for. Throws `GATEWAY_CERTIFICATE_UNUSABLE`. */
  async first(signal: AbortSignal): Promise<void> {
    const { clock, config } = this.#parts;
    const startedMs = clock.monotonic();
    let last = '';
    while (this.#taken === undefined) {
      const problem = await this.#look();
      if (problem === undefined) return;
      if (clock.monotonic() - startedMs >= firstMs) {
        const hint = `write a certificate chain, leaf first, to ${config.certificatePath} and its key to ${config.keyPath}, both in PEM`;
        throw new Fault('GATEWAY_CERTIFICATE_UNUSABLE', problem, { hint });
      }
      if (problem === last) this.#report(problem);
      last = problem;
      await clock.sleep(secondLookMs, signal);
    }
  }

  /** Follows the files until the signal aborts, then throws its reason. */
  follow(signal: AbortSignal): Promise<never> {
    const { config, clock } = this.#parts;
    const look = async (): Promise<void> => {
      if ((await this.#look()) === undefined) return;
      await clock.sleep(secondLookMs, signal);
      const problem = await this.#look();
      if (problem !== undefined) this.#report(problem);
    };
    return watchFolder(dirname(config.certificatePath), look, { ...defaultFolderWatch, clock }, signal);
  }

  /** What is wrong, if anything is. */
  async #look(): Promise<string | undefined> {
    const { config, clock, emit, onPair } = this.#parts;
    const cert = await readBoundedFile(config.certificatePath, maxFileBytes);
    if (!cert.ok) return `${config.certificatePath} ${cert.reason}`;
    const key = await readBoundedFile(config.keyPath, maxFileBytes);
    if (!key.ok) return `${config.keyPath} ${key.reason}`;
    const digest = createHash('sha256').update(cert.value).update('\0').update(key.value).digest('hex');
    const taken = this.#taken;
    if (taken?.digest === digest) return clock.now() < taken.pair.notAfterMs ? this.#settled() : 'it has expired';
    const pair = readPair(cert.value, key.value, clock.now());
    if (!pair.ok) return `${config.certificatePath} ${pair.reason}`;
    this.#taken = { digest, pair: pair.value };
    const { serialHex, notAfterMs } = pair.value;
    onPair(pair.value);
    emit({ event: 'gateway.certificate-applied', serialHex, notAfterMs });
    return this.#settled();
  }

  #settled(): undefined {
    this.#reported = '';
  }

  #report(problem: string): void {
    if (problem === this.#reported) return;
    this.#reported = problem;
    const validForMs = Math.max(0, (this.#taken?.pair.notAfterMs ?? 0) - this.#parts.clock.now());
    this.#parts.emit({ event: 'gateway.certificate-refused', problem, validForMs });
  }
}

/** Refuses with words that follow the name of the certificate's file. OpenSSL's own may quote the key. */
function readPair(cert: string, key: string, nowMs: number): Result<ServerPair, string> {
  try {
    const leaf = new X509Certificate(cert);
    const notAfterMs = leaf.validToDate.getTime();
    if (!leaf.checkPrivateKey(createPrivateKey(key))) return refuse('is not the certificate of the key');
    if (nowMs >= notAfterMs) return refuse('has expired');
    if (nowMs < leaf.validFromDate.getTime()) return refuse('is not valid yet');
    createSecureContext({ cert, key }); // the whole chain, and what OpenSSL demands of keys
    return ok({ cert, key, serialHex: leaf.serialNumber.toLowerCase(), notAfterMs });
  } catch {
    return refuse('and the key are not a certificate and a private key in PEM that can be used');
  }
}
