import { parseSpiffeId, trustDomainOf, workloadSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import type { PolicyDocument, Pattern, WorkloadFacts } from '#policy/model.ts';
import { UsageError } from './edge.ts';

/** Where no document names one. */
const exampleDomain = 'example.org';

/**
 * Trust domains whose workloads the documents name. A pattern that covers several names none.
 */
function trustDomainsIn(documents: readonly PolicyDocument[]): readonly string[] {
  const found = documents.flatMap((document) => {
    if (document.kind === 'DenyList') {
      return document.entries.flatMap((entry) => ('spiffeId' in entry ? [trustDomainOf(entry.spiffeId)] : []));
    }
    if (document.kind !== 'AuthorizationPolicy') return [];
    return document.rules.flatMap(({ from, when }) => [
      ...from.flatMap((source) => [...(source.principals ?? []), ...(source.notPrincipals ?? [])].flatMap(domainOf)),
      ...when
        .filter(({ key }) => key.of === 'source.principal')
        .flatMap(({ values = [], notValues = [] }) => [...values, ...notValues].flatMap(domainOf)),
    ]);
  });
  return [...new Set(found)].toSorted();
}

function domainOf(pattern: Pattern): string[] {
  if (pattern.kind !== 'exact' && pattern.kind !== 'prefix') return [];
  const slash = pattern.text.indexOf('/');
  return slash > 0 ? [pattern.text.slice(0, slash)] : [];
}

/**
 * The SPIFFE ID of a workload as people write it: `cart`, `shop/cart`, a principal as in a policy, or whole. Short names
 * need one trust domain: the one that is given, else the only one that the policies name, else example.org.
 */
export function principalOf(name: string, given: string | undefined, documents: readonly PolicyDocument[]): SpiffeId {
  const whole = isWhole(name) ? (name.startsWith('spiffe://') ? name : `spiffe://${name}`) : undefined;
  if (whole !== undefined) {
    const parsed = parseSpiffeId(whole);
    if (parsed.ok) return parsed.value;
    throw new UsageError(`${name} is no SPIFFE ID (${parsed.reason})`, 'write cart, shop/cart or spiffe://…/ns/…/sa/…');
  }
  const { namespace, name: account } = splitName(name);
  const made = workloadSpiffeId(given ?? onlyTrustDomain(name, documents), namespace, account);
  if (made.ok) return made.value;
  const [what, hint] =
    made.reason === 'bad-trust-domain'
      ? [`${given} is no trust domain`, 'write one such as prod.example']
      : [`${name} is no workload`, 'write cart, shop/cart or a SPIFFE ID'];
  throw new UsageError(what, hint);
}

function onlyTrustDomain(name: string, documents: readonly PolicyDocument[]): string {
  const [domain = exampleDomain, ...others] = trustDomainsIn(documents);
  if (others.length === 0) return domain;
  throw new UsageError(
    `${name} may be of ${[domain, ...others].join(' or ')}: the policies name each of them`,
    'say which with --trust-domain, or write the whole SPIFFE ID',
  );
}

/**
 * What policies select by, of a workload outside Kubernetes: `payments`, `shop/payments`, or its SPIFFE ID. A short name is
 * of the trust domain that is given, else of the only one that the policies name, else of example.org. It is never taken
 * from a caller who is written in full: a foreign one must not look like a neighbour.
 */
export function workloadNamed(name: string, { from, trustDomain, documents }: Neighbours): WorkloadFacts {
  const [, domain, ...ofId] = /^(?:spiffe:\/\/)?([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(name) ?? [];
  const { namespace, name: account } =
    domain === undefined ? splitName(name) : { namespace: ofId[0] ?? '', name: ofId[1] ?? '' };
  if (!nameForm.test(namespace) || !nameForm.test(account)) {
    throw new UsageError(`${name} is no workload`, 'write payments, shop/payments or its SPIFFE ID');
  }
  const labels = { app: account, 'app.kubernetes.io/name': account };
  const ofNames = (): string => {
    const isOpen = from !== undefined && isWhole(from) && trustDomainsIn(documents).length === 0;
    if (!isOpen) return onlyTrustDomain(name, documents);
    throw new UsageError(
      `${name} may be of any trust domain: the policies name none, and that of ${from} need not be its own`,
      'say which with --trust-domain (trustDomain in a table), or write the whole SPIFFE ID',
    );
  };
  return { trustDomain: domain ?? trustDomain ?? ofNames(), namespace, name: account, labels, ports: undefined };
}

interface Neighbours {
  /** Undefined: a plaintext caller. */
  readonly from: string | undefined;
  readonly trustDomain: string | undefined;
  readonly documents: readonly PolicyDocument[];
}

function isWhole(name: string): boolean {
  return name.startsWith('spiffe://') || name.split('/').length > 2;
}

const nameForm = /^[a-zA-Z0-9._-]+$/;

function splitName(name: string): { readonly namespace: string; readonly name: string } {
  const slash = name.indexOf('/');
  return slash < 0 ? { namespace: 'default', name } : { namespace: name.slice(0, slash), name: name.slice(slash + 1) };
}
