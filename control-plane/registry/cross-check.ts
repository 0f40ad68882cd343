import type { Issue } from '#policy/schema-issues.ts';
import type { Client, Registration, RegistryDocument, Service } from './model.ts';

/** By `Client/cart`. */
export type Registrations = ReadonlyMap<string, Registration>;

/** Which of a registration's documents: what is in force, or what may come into force. */
type Version = 'in-force' | 'proposed';

/** A document that does not fit the others. */
export interface Misfit {
  readonly registration: Registration;
  readonly version: Version;
  readonly issue: Issue;
}

/**
 * What is wrong with all of them together: audiences that are not registered, scopes that their service does not have, and
 * what reaches into another tenant. What is in force stands on what is in force alone.
 */
export function misfitsIn(registrations: Registrations): readonly Misfit[] {
  const misfits: Misfit[] = [];
  for (const registration of registrations.values()) {
    const { inForce, proposal } = registration;
    const check = (document: RegistryDocument, version: Version): void => {
      for (const issue of issuesWith(document, registrations, version)) misfits.push({ registration, version, issue });
    };
    if (inForce !== undefined) check(inForce.document, 'in-force');
    if (proposal !== undefined) check(proposal.document, 'proposed');
  }
  return misfits;
}

function issuesWith(document: RegistryDocument, others: Registrations, version: Version): readonly Issue[] {
  return document.kind === 'Client'
    ? clientIssues(document, (audience) => versionsOf<Service>(others.get(`Service/${audience}`), version))
    : ownerIssues(document, (client) => versionsOf<Client>(others.get(`Client/${client}`), 'proposed'));
}

function versionsOf<T extends RegistryDocument>(
  registration: Registration | undefined,
  version: Version,
): readonly T[] | undefined {
  if (registration === undefined) return undefined;
  const { inForce, proposal } = registration;
  const written = version === 'in-force' ? [inForce] : [inForce, proposal];
  return written.flatMap((each) => (each === undefined ? [] : [each.document as T]));
}

function clientIssues(
  client: Client,
  servicesOf: (audience: string) => readonly Service[] | undefined,
): readonly Issue[] {
  return [...client.access].flatMap(([audience, scopes], index): readonly Issue[] => {
    const path = ['spec', 'access', index];
    const services = servicesOf(audience);
    if (services === undefined) {
      return [[[...path, 'audience'], `there is no service ${audience}: register it first, or in the same file`]];
    }
    if (services.length === 0) {
      return [[[...path, 'audience'], `the service ${audience} waits for approval: approve it first`]];
    }
    if (services.every((service) => isForeign(client, service))) {
      return [[[...path, 'audience'], foreignText(`the service ${audience}`, services[0])]];
    }
    const missing = [...scopes].filter((scope) => !services.some((service) => service.scopes.has(scope)));
    return missing.map((scope) => [
      [...path, 'scopes', [...scopes].indexOf(scope)],
      `the service ${audience} has no scope ${scope}: correct it, or add it to the service`,
    ]);
  });
}

/** An owner may be registered later, or need no tokens at all; but it belongs to nobody else. */
function ownerIssues(service: Service, clientsOf: (name: string) => readonly Client[] | undefined): readonly Issue[] {
  return [...service.owners].flatMap((owner, index): readonly Issue[] => {
    const clients = clientsOf(owner) ?? [];
    const isRefused = clients.length > 0 && clients.every((client) => isForeign(client, service));
    return isRefused ? [[['spec', 'owners', index], foreignText(`the client ${owner}`, clients[0])]] : [];
  });
}

function isForeign(client: Client, service: Service): boolean {
  return client.tenant !== undefined && service.tenant !== undefined && client.tenant !== service.tenant;
}

function foreignText(what: string, document: RegistryDocument | undefined): string {
  return `${what} belongs to the tenant ${document?.tenant}: of two tenants one side must be registered with global: true`;
}
