import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { exportSpki, keyThumbprint } from '#certs/keys.ts';
import { parseCertificatesPem } from '#certs/pem.ts';
import { parseTrustBundlePem } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { Fault } from '#runtime/fault.ts';
import type { Arguments, Edge, Run } from './edge.ts';
import { presentedChain } from './presented-chain.ts';
import { defaultStateDir } from './run-file.ts';
import { readSummary } from './status.ts';
import { isoTime, parseIsoTime, showDuration } from './time-text.ts';
import type { WorkloadSummary } from './up/summary.ts';

/** `eastwest cert show`: what a file holds or a server presents, and what the mesh would say to it. */
export const run: Run = async (args, edge) => {
  const chain = await chainOf(args, edge);
  const facts = describeChain(chain, verdictOf(chain, bundlePemFor(args, edge), edge.clock.now()));
  if (args.flags.has('json')) edge.stdout.write(`${JSON.stringify(facts)}\n`);
  else edge.stdout.write(`${lines(facts, edge.clock.now()).join('\n')}\n`);
  return facts.verdict === undefined || facts.verdict === 'accepted' ? 0 : 1;
};

export interface CertificateFacts {
  readonly subjectAlternativeNames: string;
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly key: string;
  readonly extendedKeyUsage: readonly string[];
  readonly isAuthority: boolean;
  /** Of the certificate. */
  readonly sha256: string;
  /** Of its public key, as a DenyList takes it. */
  readonly keyThumbprint: string;
  readonly chainLength: number;
  /** `accepted`, or why the mesh refuses it; undefined without a trust bundle to judge by. */
  readonly verdict: string | undefined;
}

const usageNames: Readonly<Record<string, string>> = {
  '1.3.6.1.5.5.7.3.1': 'TLS server',
  '1.3.6.1.5.5.7.3.2': 'TLS client',
};

async function chainOf(args: Arguments, edge: Edge): Promise<readonly Buffer[]> {
  const [target = ''] = args.positionals;
  const running = await runningWorkload(target, args, edge);
  if (running !== undefined) return presentedByAgent(running, edge);
  const file = resolve(edge.cwd, target);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return certificatesIn(file);
  const [, host, port] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(target) ?? [];
  if (host !== undefined) return presentedChain({ host, port: Number(port) }, edge.clock);
  if (/[/.]/.test(target)) {
    const what = existsSync(file) ? `${file} is no file` : `no such file: ${file}`;
    throw new Fault('NO_SUCH_CERTIFICATE', what, { hint: 'name a workload, HOST:PORT or a PEM file' });
  }
  const names = (await readSummary(args, edge)).workloads.map(({ name }) => name);
  throw new Fault('NO_SUCH_CERTIFICATE', `${target} is no file, no HOST:PORT and no workload of the running mesh`, {
    hint: `the mesh has ${names.join(', ')}`,
  });
}

function presentedByAgent({ name, ports }: WorkloadSummary, { clock }: Edge): Promise<readonly Buffer[]> {
  if (ports.app.length === 0) {
    throw new Fault('NO_CERTIFICATE', `the agent of ${name} accepts no calls, so it presents no certificate`, {
      hint: `give ${name} \`listens\` in the mesh file, or see \`eastwest status\``,
    });
  }
  const [host = '', port = ''] = ports.inbound.split(':');
  return presentedChain({ host, port: Number(port) }, clock);
}

/** The workload of this name, where a mesh runs that has one: before a file or folder that happens to be called so. */
async function runningWorkload(name: string, args: Arguments, edge: Edge): Promise<WorkloadSummary | undefined> {
  if (/[/.:]/.test(name)) return undefined; // no name of a workload
  const summary = await readSummary(args, edge).catch(() => undefined);
  return summary?.workloads.find((workload) => workload.name === name);
}

function certificatesIn(file: string): readonly Buffer[] {
  const read = parseCertificatesPem(readFileSync(file, 'utf8'));
  if (read.ok) return read.value;
  throw new Fault('NO_SUCH_CERTIFICATE', `${file} holds no certificates in PEM form (${read.reason})`);
}

/** `--bundle`, or that of the mesh that `up` runs or ran here. */
function bundlePemFor({ values }: Arguments, edge: Edge): string | undefined {
  const given = values['bundle'];
  if (given !== undefined) return readFileSync(resolve(edge.cwd, given), 'utf8');
  const stateDir = resolve(edge.cwd, values['state-dir'] ?? defaultStateDir);
  const ours = resolve(stateDir, 'control-plane', 'trust-bundle.pem');
  return existsSync(ours) ? readFileSync(ours, 'utf8') : undefined;
}

/** The bundle speaks for the trust domain that the leaf names: who hands us a bundle says whose it is. */
function verdictOf(chain: readonly Buffer[], bundlePem: string | undefined, nowMs: number): string | undefined {
  if (bundlePem === undefined) return undefined;
  const leaf = new X509Certificate(chain[0]!);
  const trustDomain = /URI:spiffe:\/\/([^/,]+)/.exec(leaf.subjectAltName ?? '')?.[1];
  if (trustDomain === undefined) return 'refused: no SPIFFE ID';
  const bundle = parseTrustBundlePem(bundlePem, { trustDomain, version: 1 });
  if (!bundle.ok) return `refused: the trust bundle is ${bundle.reason}`;
  const judged = verifySvid(chain, { bundle: bundle.value, nowMs });
  return judged.ok ? 'accepted' : `refused: ${judged.reason}`;
}

function describeChain(chain: readonly Buffer[], verdict: string | undefined): CertificateFacts {
  const leaf = new X509Certificate(chain[0]!);
  const details = leaf.publicKey.asymmetricKeyDetails;
  return {
    subjectAlternativeNames: leaf.subjectAltName ?? '',
    subject: oneLine(leaf.subject),
    issuer: oneLine(leaf.issuer),
    serial: leaf.serialNumber.toLowerCase(),
    notBefore: isoTime(parseIsoTime(leaf.validFrom)),
    notAfter: isoTime(parseIsoTime(leaf.validTo)),
    key: [leaf.publicKey.asymmetricKeyType, details?.namedCurve ?? details?.modulusLength].join(' ').trim(),
    extendedKeyUsage: (leaf.keyUsage ?? []).map((oid) => usageNames[oid] ?? oid), // Node's name for the extended one
    isAuthority: leaf.ca,
    sha256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    keyThumbprint: keyThumbprint(exportSpki(leaf.publicKey)),
    chainLength: chain.length,
    verdict,
  };
}

function lines(facts: CertificateFacts, nowMs: number): string[] {
  const leftMs = parseIsoTime(facts.notAfter) - nowMs;
  const left = leftMs > 0 ? `${showDuration(leftMs)} left` : 'expired';
  return [
    `names        ${facts.subjectAlternativeNames || 'none'}`,
    `subject      ${facts.subject || 'empty'}`,
    `issuer       ${facts.issuer || 'empty'}`,
    `serial       ${facts.serial}`,
    `valid        ${facts.notBefore} to ${facts.notAfter} (${left})`,
    `key          ${facts.key}`,
    `usage        ${facts.extendedKeyUsage.join(', ') || 'not limited'}${facts.isAuthority ? ', certificate authority' : ''}`,
    `sha256       ${facts.sha256}`,
    `key sha256   ${facts.keyThumbprint}`,
    `chain        ${facts.chainLength} certificate${facts.chainLength === 1 ? '' : 's'}`,
    `in the mesh  ${facts.verdict ?? 'unknown: no trust bundle to judge by (--bundle FILE)'}`,
  ];
}

function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}
