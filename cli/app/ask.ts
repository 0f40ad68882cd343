import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { askAdmin } from '#cli/admin-socket.ts';
import type { Arguments, Edge } from '#cli/edge.ts';
import { defaultStateDir } from '#cli/run-file.ts';
import type { CallOptions } from '#proto/channel.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { RegistryClient } from '#proto/registry-admin.ts';
import { readBoundedFile } from '#runtime/bounded-file.ts';
import { Fault } from '#runtime/fault.ts';
import type { Result } from '#runtime/result.ts';

const deadlineMs = 60_000;
const maxCredentialBytes = 1_024;

/** Who asks, and how to go on asking. */
export interface Asking {
  readonly credential: string;
  readonly options: CallOptions;
}

/** One question about the registry to the control plane that `--data-dir` names. Throws `Fault` where there is no answer. */
export async function askRegistry<T>(
  args: Arguments,
  edge: Edge,
  ask: (client: RegistryClient, asking: Asking) => Promise<Result<T, Refusal>>,
): Promise<T> {
  const dataDir = resolve(edge.cwd, args.values['data-dir'] ?? `${defaultStateDir}/control-plane`);
  const asking = { credential: await readCredential(args, edge), options: { deadlineMs, signal: edge.stop } };
  const reply = await askAdmin(dataDir, edge, (client) => ask(client.registry, asking));
  if (reply.ok) return reply.value;
  throw refusedFault(reply.reason);
}

/** Empty: nobody in particular, the owner of the socket. The file is a secret: others may not read it. */
async function readCredential({ values }: Arguments, { cwd, env }: Edge): Promise<string> {
  const file = values['operator'] ?? env['EASTWEST_OPERATOR'];
  if (file === undefined || file === '') return '';
  if (file.startsWith('ewo1.')) {
    throw new Fault(
      'CREDENTIAL_SHOWN',
      'that is a credential, which the command line and the environment show to others',
      {
        hint: 'write it into a file with mode 0600, and name the file',
      },
    );
  }
  const path = resolve(cwd, file);
  const read = await readBoundedFile(path, maxCredentialBytes);
  if (!read.ok) {
    throw new Fault('CREDENTIAL_UNREADABLE', `${path} ${read.reason}`, {
      hint: 'name the file with your credential: --operator FILE',
    });
  }
  if (((await stat(path)).mode & 0o077) !== 0) {
    throw new Fault('CREDENTIAL_OPEN', `others can read ${path}`, { hint: `chmod 600 ${path}` });
  }
  const credential = read.value.trim();
  if (credential !== '') return credential;
  throw new Fault('CREDENTIAL_UNREADABLE', `${path} is empty`, {
    hint: 'write into it what `eastwest operator add` printed',
  });
}

function refusedFault({ reason }: Refusal): Fault {
  const [, who] = /^needs-(.+)$/.exec(reason) ?? [];
  if (who !== undefined) {
    const roles = who.replaceAll('-', ' ');
    return new Fault('NOT_PERMITTED', 'your roles do not permit that', {
      hint: `ask an operator with the role ${roles}`,
    });
  }
  const hints: Readonly<Record<string, string>> = {
    'no-token-service': 'it issues no tokens: write `tokens:` into its control-plane.yaml',
    'credential-needed': 'say who you are: --operator FILE, with the credential that `eastwest operator add` printed',
    'unknown-credential': 'name the file with your credential, or ask an admin for a new one',
    'too-many-failed-credentials': 'wait a minute, and name the file with your credential',
  };
  const hint = hints[reason];
  return new Fault('REGISTRY_REFUSED', `the control plane refused: ${reason}`, hint === undefined ? {} : { hint });
}
