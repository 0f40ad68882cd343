import { readPolicies } from '#policy/documents.ts';

/** A document of Istio's dialect with this spec, each in flow style so that one line of a table is one document. */
export const istio = (spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: a, namespace: shop }\nspec: ${spec}\n`;
export const ours = (spec: string): string => istio(spec).replace('security.istio.io/v1', 'eastwest.dev/v1');
export const ofKind = (kind: string, spec: string, version = 'eastwest.dev/v1'): string =>
  `apiVersion: ${version}\nkind: ${kind}\nmetadata: { name: a${kind === 'DenyList' ? ', namespace: default' : ''} }\nspec: ${spec}\n`;
export const peers = (spec: string): string => ofKind('PeerAuthentication', spec, 'security.istio.io/v1');

/** One line per problem: the path in the document and what is said. */
export function problemsOf(text: string): readonly string[] {
  const read = readPolicies(text, 'policies.yaml');
  return read.ok ? [] : read.reason.map(({ path, problem }) => `${path}: ${problem}`);
}

export const source = (fields: string): string => `{ rules: [{ from: [{ source: { ${fields} } }] }] }`;
export const operation = (fields: string): string => `{ rules: [{ to: [{ operation: { ${fields} } }] }] }`;
export const when = (fields: string): string => `{ rules: [{ when: [{ ${fields} }] }] }`;
