const address = 'identity is never derived from an address; name principals or namespaces';
const tokens = 'it comes with tokens; until then name principals or namespaces';

/** Fields that others know and we do not take, each with its reason and what to write. */
const refusedFields: Readonly<Record<string, string>> = {
  ipBlocks: address,
  notIpBlocks: address,
  remoteIpBlocks: address,
  notRemoteIpBlocks: address,
  requestPrincipals: tokens,
  notRequestPrincipals: tokens,
  serviceAccounts: 'write principals: <trust domain>/ns/<namespace>/sa/<service account>',
  notServiceAccounts: 'write notPrincipals: <trust domain>/ns/<namespace>/sa/<service account>',
  targetRef: 'policies are about workloads; write selector',
  targetRefs: 'policies are about workloads; write selector',
  provider: 'nobody else is asked for a decision; leave it out',
  status: 'it is what Kubernetes writes; leave it out',
};

/** Fields of our dialect, for those who write them in Istio's. */
const ownFields = ['dryRun', 'scopes', 'allow'];

/** Why there is no such field, and what to write instead; undefined: nobody has such a field. */
export function refusedField(name: string): string | undefined {
  const why = Object.hasOwn(refusedFields, name) ? refusedFields[name] : undefined;
  if (why !== undefined) return `is not supported: ${why}`;
  return ownFields.includes(name) ? 'is no field of Istio: write apiVersion: eastwest.dev/v1' : undefined;
}

/** Of a key under `when`. */
export function refusedConditionKey(key: string): string {
  if (/^(?:source|remote|destination)\.ip$/.test(key)) return `${key} is not supported: ${address}`;
  if (/^request\.(?:auth|scopes?)\b/.test(key)) return `${key} is not supported: ${tokens}`;
  if (key === 'connection.sni') return `${key} is not supported: callers choose it freely; name hosts or ports`;
  if (key.startsWith('experimental.')) return `${key} is not supported: it is about one proxy's insides; leave it out`;
  if (key === 'source.serviceAccount') return `${key} is not supported: write source.principal`;
  if (/^request\.headers\[host\]$/i.test(key))
    return `${key} is not supported, HTTP/2 has another: write hosts under to`;
  return `there is no key ${key}: write source.principal, source.namespace, destination.port or request.headers[<name>]`;
}
