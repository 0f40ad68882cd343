const address = 'identity is never derived from an address; name principals or namespaces';

/** Fields that others know and we do not take, each with its reason and what to write. */
const refusedFields: Readonly<Record<string, string>> = {
  ipBlocks: address,
  notIpBlocks: address,
  remoteIpBlocks: address,
  notRemoteIpBlocks: address,
  serviceAccounts: 'write principals: <trust domain>/ns/<namespace>/sa/<service account>',
  notServiceAccounts: 'write notPrincipals: <trust domain>/ns/<namespace>/sa/<service account>',
  targetRef: 'policies are about workloads; write selector',
  targetRefs: 'policies are about workloads; write selector',
  provider: 'nobody else is asked for a decision; leave it out',
  status: 'it is what Kubernetes writes; leave it out',
};

/** Fields of our dialect, for those who write them in Istio's. */
const ownFields = ['dryRun', 'scopes', 'allow', 'roles', 'notRoles'];

/** Why there is no such field, and what to write instead; undefined: nobody has such a field. */
export function refusedField(name: string): string | undefined {
  const why = Object.hasOwn(refusedFields, name) ? refusedFields[name] : undefined;
  if (why !== undefined) return `is not supported: ${why}`;
  return ownFields.includes(name) ? 'is no field of Istio: write apiVersion: eastwest.dev/v1' : undefined;
}

/** About one connection or the length of a message, or set by agents alone: never judged, whatever a caller sends. */
const unjudgedHeader =
  /^(?:connection|keep-alive|proxy-connection|proxy-authenticate|proxy-authorization|te|transfer-encoding|upgrade|content-length|x-forwarded-client-cert|x-mesh-identity|workload-identity-token|workload-proof-token|x-eastwest-.*)$/;

/** Whether a header's name, in lower case and in any spelling, is one that rules could never see. */
export function isUnjudgedHeader(name: string): boolean {
  return unjudgedHeader.test(name.replaceAll(/[^a-z0-9]/g, '-'));
}

/** Of a key under `when`. */
export function refusedConditionKey(key: string): string {
  if (/^(?:source|remote|destination)\.ip$/.test(key)) return `${key} is not supported: ${address}`;
  if (/^request\.(?:auth|scopes?)\b/.test(key)) {
    return `there is no key ${key}: write request.auth.principal, request.auth.audiences, request.auth.presenter or request.auth.claims[<name>]`;
  }
  if (key === 'connection.sni') return `${key} is not supported: callers choose it freely; name hosts or ports`;
  if (key.startsWith('experimental.')) return `${key} is not supported: it is about one proxy's insides; leave it out`;
  if (key === 'source.serviceAccount') return `${key} is not supported: write source.principal`;
  if (/^request\.headers\[host\]$/i.test(key))
    return `${key} is not supported, HTTP/2 has another: write hosts under to`;
  const header = /^request\.headers\[(.+)\]$/.exec(key)?.[1]?.toLowerCase();
  if (header !== undefined && isUnjudgedHeader(header))
    return `${key} is not supported, no rule ever sees it: it is about one connection, or agents set it; name principals, methods or another header`;
  return `there is no key ${key}: write source.principal, source.namespace, destination.port or request.headers[<name>]`;
}
