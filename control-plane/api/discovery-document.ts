import { issuerAlgorithms } from '#tokens/algorithms.ts';

/** Authorization server metadata (RFC 8414, section 2), the same for OpenID's discovery; `issuer` byte for byte (S72). */
export function discoveryDocument(issuer: string): object {
  const base = issuer.replace(/\/$/, '');
  const authentication = ['tls_client_auth', 'private_key_jwt', 'client_secret_basic', 'client_secret_post'];
  return {
    issuer,
    token_endpoint: `${base}/token`,
    jwks_uri: `${base}/jwks`,
    introspection_endpoint: `${base}/introspect`,
    revocation_endpoint: `${base}/revoke`,
    response_types_supported: [],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    token_endpoint_auth_methods_supported: [...authentication, 'none'],
    token_endpoint_auth_signing_alg_values_supported: issuerAlgorithms,
    introspection_endpoint_auth_methods_supported: authentication,
    introspection_endpoint_auth_signing_alg_values_supported: issuerAlgorithms,
    revocation_endpoint_auth_methods_supported: [...authentication, 'none'],
    revocation_endpoint_auth_signing_alg_values_supported: issuerAlgorithms,
    tls_client_certificate_bound_access_tokens: true,
  };
}
