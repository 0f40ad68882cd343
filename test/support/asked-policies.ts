import { readPolicies } from '#policy/documents.ts';
import { explain, type Explanation } from '#policy/explain.ts';
import type { Call, PolicyDocument } from '#policy/model.ts';
import { payments, spiffeIdOf } from './random-policies.ts';

/** A policy of namespace shop for payments; `spec` in YAML's flow style, without the braces. */
export function policy(name: string, spec: string, metadata = 'namespace: shop'): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, ${metadata} }
spec: { selector: { matchLabels: { app: payments } }, ${spec} }
`;
}

export function documentsOf(...texts: readonly string[]): readonly PolicyDocument[] {
  const read = readPolicies(texts.join('---\n'), 'policies.yaml');
  if (!read.ok) throw new Error(JSON.stringify(read.reason));
  return read.value.map(({ document }) => document);
}

export const cart = 'a.test/ns/shop/sa/cart';

export interface Asked {
  readonly from?: string | undefined;
  readonly request?: string | undefined;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
}

export function callOf({ from = cart, request = 'GET /prices/1', headers = {} }: Asked = {}): Call {
  const [method = '', path = ''] = request.split(' ');
  const http = { method, path, host: 'payments', header: (name: string) => headers[name] ?? [] };
  return { principal: from === '' ? undefined : spiffeIdOf(from), port: 8080, http: request === '' ? undefined : http };
}

export function explained(documents: readonly PolicyDocument[], call: Call): Explanation {
  const explanation = explain(documents, payments, call);
  if (!explanation.ok) throw new Error(JSON.stringify(explanation.reason));
  return explanation.value;
}

export const fromCart = `from: [{ source: { principals: [${cart}] } }]`;
export const fromWeb = 'from: [{ source: { principals: [a.test/ns/shop/sa/web] } }]';
export const gets = 'to: [{ operation: { methods: [GET], paths: [/prices/*] } }]';
