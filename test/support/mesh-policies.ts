/** An AuthorizationPolicy as somebody would write it: cart may call one path of the namespace's workloads. */
export function allowText(name: string, { namespace = 'default', path = '/prices' } = {}): string {
  return [
    'apiVersion: security.istio.io/v1',
    'kind: AuthorizationPolicy',
    `metadata: { name: ${name}, namespace: ${namespace} }`,
    'spec:',
    '  action: ALLOW',
    '  rules:',
    '    - from: [{ source: { principals: [shop.example/ns/default/sa/cart] } }]',
    `      to: [{ operation: { methods: [GET], paths: [${path}] } }]`,
    '',
  ].join('\n');
}

export function meshPolicyText(name: string, rootNamespace: string): string {
  return [
    'apiVersion: eastwest.dev/v1',
    'kind: MeshPolicy',
    `metadata: { name: ${name} }`,
    `spec: { rootNamespace: ${rootNamespace} }`,
    '',
  ].join('\n');
}

/** One string, several documents. */
export const documents = (...texts: readonly string[]): string => texts.join('---\n');
