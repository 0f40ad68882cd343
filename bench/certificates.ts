import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '#runtime/system-clock.ts';
import { createTestCa } from '#support/test-ca.ts';
import type { Place, Workload } from './subjects/subject.ts';

const trustDomain = 'bench.example';

/** What a `Place` says of identities. */
export type Identities = Pick<Place, 'trustDomain' | 'certificatesOf' | 'spiffeIdOf' | 'hostNameOf'>;

function spiffeIdOf(workload: Workload): string {
  return `spiffe://${trustDomain}/ns/default/sa/${workload}`;
}

function hostNameOf(workload: Workload): string {
  return `${workload}.${trustDomain}`;
}

/** The same P-256 certificates for every subject; beside the SPIFFE ID a DNS name and a subject, for peers that need them. */
export async function writeCertificates(dir: string): Promise<Identities> {
  const root = createTestCa({ trustDomain, nowMs: systemClock.now() });
  const issuer = root.intermediate();
  const certificatesOf = (workload: Workload): string => join(dir, workload);
  for (const workload of ['cart', 'prices', 'gateway'] as const) {
    const { chainPem, keyPem } = issuer.leaf(workload, {
      subject: workload,
      names: [
        { kind: 'uri', text: spiffeIdOf(workload) },
        { kind: 'dns', text: hostNameOf(workload) },
      ],
    });
    const files = { 'tls.crt': chainPem, 'tls.key': keyPem, 'ca.crt': root.bundlePem, 'both.pem': chainPem + keyPem };
    await mkdir(certificatesOf(workload), { recursive: true, mode: 0o700 });
    for (const [name, text] of Object.entries(files))
      await writeFile(join(certificatesOf(workload), name), text, { mode: 0o600 });
  }
  return { trustDomain, certificatesOf, spiffeIdOf, hostNameOf };
}
