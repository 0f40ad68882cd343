import type { SpiffeId } from '#certs/spiffe-id.ts';

/** An ALLOW rule: who may call which port of the workload. */
export interface Rule {
  /** Names the rule in logs and answers, e.g. `ports[7002].allow`. */
  readonly name: string;
  readonly port: number;
  /** `any-peer`: every verified peer of the trust domain. */
  readonly principals: readonly SpiffeId[] | 'any-peer';
}

/** What is asked: a verified peer wants to use a port. */
export interface Call {
  readonly principal: SpiffeId;
  readonly port: number;
}

export type Decision =
  | { readonly allow: true; readonly rule: string }
  | { readonly allow: false; readonly reason: 'no-rule-matches' };

/** Rules indexed by port and principal: the cost of a decision does not grow with their number. */
export type RuleIndex = ReadonlyMap<
  number,
  { readonly anyPeer?: string; readonly byPrincipal: ReadonlyMap<SpiffeId, string> }
>;

/** Compiles ALLOW rules. A port without a rule lets nobody in. */
export function indexRules(rules: readonly Rule[]): RuleIndex {
  const index = new Map<number, { anyPeer?: string; byPrincipal: Map<SpiffeId, string> }>();
  for (const rule of rules) {
    const entry = index.get(rule.port) ?? { byPrincipal: new Map<SpiffeId, string>() };
    index.set(rule.port, entry);
    if (rule.principals === 'any-peer') entry.anyPeer ??= rule.name;
    else for (const principal of rule.principals) entry.byPrincipal.set(principal, rule.name);
  }
  return index;
}

/** Default deny: what no rule names is refused. */
export function decide(rules: RuleIndex, call: Call): Decision {
  const port = rules.get(call.port);
  const rule = port?.byPrincipal.get(call.principal) ?? port?.anyPeer;
  return rule === undefined ? { allow: false, reason: 'no-rule-matches' } : { allow: true, rule };
}
