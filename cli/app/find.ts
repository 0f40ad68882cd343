import { UsageError } from '#cli/edge.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { RegistryClient } from '#proto/registry-admin.ts';
import type { ResponseOf } from '#proto/registry-messages.ts';
import { Fault } from '#runtime/fault.ts';
import { ok, type Result } from '#runtime/result.ts';
import type { Asking } from './ask.ts';

export type ListedRegistration = ResponseOf<'list'>['registrations'][number];

/** The registration of that name, with its documents: NAME, or Client/NAME or Service/NAME where both have it. */
export async function findRegistration(
  text: string,
  client: RegistryClient,
  { credential, options }: Asking,
): Promise<Result<ListedRegistration, Refusal>> {
  const [, kind, name = text] = /^(Client|Service)\/(.+)$/.exec(text) ?? [];
  const listed = await client.list({ credential, name }, options);
  if (!listed.ok) return listed;
  const found = listed.value.registrations.filter((each) => kind === undefined || each.kind === kind);
  const [only, another] = found;
  if (only === undefined) {
    throw new Fault('NO_REGISTRATION', `there is no registration ${text}`, { hint: 'see `eastwest app list`' });
  }
  if (another !== undefined) {
    throw new UsageError(`${name} is a client and a service`, `write Client/${name} or Service/${name}`);
  }
  return ok(only);
}

export const keyOf = ({ kind, name }: Pick<ListedRegistration, 'kind' | 'name'>): string => `${kind}/${name}`;
