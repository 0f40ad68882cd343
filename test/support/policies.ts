import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { compilePolicies, type CompiledPolicy } from '#policy/compile.ts';
import { decide } from '#policy/decide.ts';
import { readPolicies } from '#policy/documents.ts';
import type { Call, CallToken, Decision, HttpCall, PolicyDocument, WorkloadFacts } from '#policy/model.ts';
import type { Result } from '#runtime/result.ts';

/** The workload that test policies are for. */
export const pricesWorkload: WorkloadFacts = {
  trustDomain: 'prod.example',
  namespace: 'shop',
  name: 'prices',
  labels: { app: 'prices', version: 'v1' },
  ports: undefined,
};

export function policiesOf(yaml: string): readonly PolicyDocument[] {
  return given(readPolicies(yaml, 'policies.yaml')).map(({ document }) => document);
}

export function compiledPolicy(yaml: string, workload: WorkloadFacts = pricesWorkload): CompiledPolicy {
  return given(compilePolicies(policiesOf(yaml), workload));
}

export function spiffeId(text: string): SpiffeId {
  return given(parseSpiffeId(text));
}

/** Words of a call: who (`shop/cart`: namespace and service account; `-`: nobody), what, and at which port. */
export interface CallWords {
  readonly from: string;
  /** `GET /a`, `GET prices.example /a`, or `tcp`. */
  readonly asks: string;
  readonly port?: number;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly token?: CallToken | undefined;
}

/** What a good token of a user says, but for these members. */
export function callToken(changes: Partial<CallToken> = {}): CallToken {
  return {
    ...{
      issuer: 'https://login.example',
      subject: '4711',
      clientId: 'app',
      audience: 'prices',
      tokenId: 't1',
      kid: 'k1',
    },
    ...{ authorizedParty: undefined, scopes: [], roles: [], actors: [], claims: new Map() },
    ...changes,
  };
}

function callOf({ from, asks, port = 8080, headers = {}, token }: CallWords): Call {
  const http = httpOf(asks, headers);
  return { principal: principalOf(from), port, http: http && { ...http, token } };
}

/** In `prod.example`, unless an ID is written in full. */
function principalOf(from: string): SpiffeId | undefined {
  if (from === '-') return undefined;
  return spiffeId(from.includes('://') ? from : `spiffe://prod.example/ns/${from.replace('/', '/sa/')}`);
}

function httpOf(asks: string, headers: Readonly<Record<string, readonly string[]>>): HttpCall | undefined {
  if (asks === 'tcp') return undefined;
  const [method = '', ...rest] = asks.split(' ');
  const path = rest.pop() ?? '';
  return { method, path, host: rest[0] ?? 'prices.example', header: (name) => headers[name] ?? [] };
}

export function decisionOn(policy: CompiledPolicy, words: CallWords): Decision {
  return decide(policy, callOf(words));
}

/** `allowed`, `denied`, or `refused` where no rule is about the call. */
export function verdictOn(policy: CompiledPolicy, words: CallWords): 'allowed' | 'denied' | 'refused' {
  const decision = decisionOn(policy, words);
  if (decision.allow) return 'allowed';
  return decision.reason === 'denied-by-rule' ? 'denied' : 'refused';
}

function given<T>(result: Result<T, unknown>): T {
  if (result.ok) return result.value;
  throw new Error(`refused: ${JSON.stringify(result.reason)}`);
}
