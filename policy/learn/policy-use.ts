import {
  compilePolicies,
  documentName,
  isNear,
  ruleName,
  rootNamespaceOf,
  selects,
  type CompiledPolicy,
  type CompileProblem,
} from '#policy/compile.ts';
import { decide, withoutParameters } from '#policy/decide.ts';
import type {
  AuthorizationPolicy,
  Call,
  CallToken,
  Decision,
  Operation,
  PolicyDocument,
  PolicyName,
  Rule,
  Source,
  WorkloadFacts,
} from '#policy/model.ts';
import { asksForToken } from '#policy/token-fields.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { CalledWorkload, ObservedCall } from './observations.ts';

/**
 * What documents say to a call of which only caller, port, method and path are known. `perhaps`: a rule that asks for hosts,
 * headers or a token may allow it. Deny lists and rules that deny by those are not asked.
 */
export type Standing = 'allowed' | 'perhaps' | 'denied' | 'not-allowed';

export interface RuleUse {
  /** ALLOW rules, `namespace/name rules[3]`, that no call needed: without all of them, each is allowed as before. */
  readonly unused: readonly string[];
  /** That ask for hosts, headers or a token: an access log has none. */
  readonly untold: readonly string[];
  /** Of policies that select no workload of which a call was seen. */
  readonly unseen: readonly string[];
}

interface Compiled {
  readonly facts: WorkloadFacts;
  /** With rules that need no more than is known. */
  readonly told: CompiledPolicy;
  /** With the others, as if hosts, headers and the token were what they ask for. */
  readonly untold: CompiledPolicy;
}

/** Which rules of some documents calls need. Holds nothing of the calls. */
export class PolicyUse {
  readonly #documents: readonly PolicyDocument[];
  readonly #workloads = new Map<string, Result<Compiled, readonly CompileProblem[]>>();
  readonly #needed = new Set<string>();

  constructor(documents: readonly PolicyDocument[]) {
    this.#documents = documents;
  }

  /** Refuses what no agent of the workload would load. */
  note({ workload, principal, port, http }: ObservedCall): Result<Standing, readonly CompileProblem[]> {
    const compiled = this.#of(workload);
    if (!compiled.ok) return compiled;
    const call: Call = { principal, port, http: http && { ...http, host: '', header: () => [] } };
    const { told, untold } = compiled.value;
    const decision = decide(told, call);
    if (decision.allow) {
      this.#need(decision);
      for (const bare of bareOf(call)) this.#need(decide(told, bare));
      return ok('allowed');
    }
    if (decision.reason === 'denied-by-rule') return ok('denied');
    const asIfCovered = call.http && { ...call.http, token: { ...someToken, scopes: untold.scopes } };
    return ok(decide(untold, { ...call, http: asIfCovered }).allow ? 'perhaps' : 'not-allowed');
  }

  /** Of the ALLOW rules in force; `of`: only of policies for that workload. */
  use(of: PolicyName | undefined): RuleUse {
    const rules = this.#documents.flatMap((document) => {
      if (document.kind !== 'AuthorizationPolicy' || document.action !== 'ALLOW') return [];
      if (of !== undefined && !this.#isFor(document, factsOf({ ...of, trustDomain: '' }))) return [];
      const isSeen = [...this.#workloads.values()].some((each) => each.ok && this.#isFor(document, each.value.facts));
      return document.rules
        .filter(({ isDryRun }) => !isDryRun)
        .map((rule) => ({ name: ruleName(document, rule), isSeen, isTold: isTold(rule) }));
    });
    const named = (of: typeof rules): readonly string[] => of.map(({ name }) => name);
    const seen = rules.filter(({ isSeen }) => isSeen);
    return {
      unused: named(seen.filter(({ name, isTold: told }) => told && !this.#needed.has(name))),
      untold: named(seen.filter(({ isTold: told }) => !told)),
      unseen: named(rules.filter(({ isSeen }) => !isSeen)),
    };
  }

  #need(decision: Decision): void {
    if (decision.allow) this.#needed.add(decision.rule);
  }

  #isFor(document: AuthorizationPolicy, facts: WorkloadFacts): boolean {
    return isNear(document.namespace, facts, rootNamespaceOf(this.#documents)) && selects(document.selector, facts);
  }

  #of(workload: CalledWorkload): Result<Compiled, readonly CompileProblem[]> {
    const key = `${workload.trustDomain} ${documentName(workload)}`;
    const compiled = this.#workloads.get(key) ?? this.#compile(workload);
    this.#workloads.set(key, compiled);
    return compiled;
  }

  #compile(workload: CalledWorkload): Result<Compiled, readonly CompileProblem[]> {
    const facts = factsOf(workload);
    const told = compilePolicies(
      this.#documents.map((each) => lessened(each, toldRule)),
      facts,
    );
    const untold = compilePolicies(
      this.#documents.map((each) => lessened(each, untoldRule)),
      facts,
    );
    if (!told.ok) return refuse(told.reason);
    return untold.ok ? ok({ facts, told: told.value, untold: untold.value }) : untold;
  }
}

/** Another rule may admit a path without its parameters. */
function bareOf(call: Call): readonly Call[] {
  if (call.http?.path.includes(';') !== true) return [];
  const bare = withoutParameters(call.http.path);
  return bare.ok ? [{ ...call, http: { ...call.http, path: bare.value } }] : [];
}

/** As policies select a workload outside Kubernetes; what its ports speak is not known here. */
function factsOf({ trustDomain, namespace, name }: CalledWorkload): WorkloadFacts {
  return { trustDomain, namespace, name, labels: { app: name, 'app.kubernetes.io/name': name }, ports: undefined };
}

function lessened(document: PolicyDocument, ofAllow: (rule: Rule) => Rule): PolicyDocument {
  if (document.kind !== 'AuthorizationPolicy') return document;
  if (document.action === 'ALLOW') return { ...document, rules: document.rules.map(ofAllow) };
  return { ...document, rules: document.rules.map((rule) => (asksForMore(rule) ? { ...rule, ...nobodys } : rule)) };
}

function toldRule(rule: Rule): Rule {
  return isTold(rule) ? rule : { ...rule, ...nobodys };
}

function untoldRule(rule: Rule): Rule {
  if (isTold(rule)) return rule.isDryRun ? rule : { ...rule, ...nobodys };
  const when = rule.when.filter(({ key }) => !key.of.startsWith('request.'));
  return { ...rule, from: rule.from.map(withoutToken), to: rule.to.map(withoutHosts), when };
}

/** Matches no call, and is there all the same: an ALLOW policy without it could leave a workload open. */
const nobodys = { from: [{ principals: [] }], to: [], when: [] };

/** Who admits by a scope asks for a token that has it. */
function isTold(rule: Rule): boolean {
  return !asksForMore(rule) && rule.to.every(({ scopes }) => scopes === undefined);
}

function asksForMore({ from, to, when }: Rule): boolean {
  const hasHosts = to.some(({ hosts, notHosts }) => hosts !== undefined || notHosts !== undefined);
  return (
    hasHosts ||
    from.some((source) => asksForToken(source) !== undefined) ||
    when.some(({ key }) => key.of.startsWith('request.'))
  );
}

function withoutToken(source: Source): Source {
  const { requestPrincipals: _is, notRequestPrincipals: _isNot, roles: _has, notRoles: _hasNot, ...rest } = source;
  return rest;
}

const someToken: CallToken = {
  ...{ issuer: '', subject: '', clientId: '', audience: '', tokenId: '', kid: '', authorizedParty: undefined },
  ...{ scopes: [], roles: [], actors: [], claims: new Map() },
};

function withoutHosts({ hosts: _hosts, notHosts: _notHosts, ...rest }: Operation): Operation {
  return rest;
}
