import { ok, type Result } from '#runtime/result.ts';
import {
  compilePolicies,
  documentName,
  isNear,
  rootNamespaceOf,
  ruleName,
  selects,
  type CompileProblem,
} from './compile.ts';
import { Asked, ownIdsOf } from './asked.ts';
import { decide, mtlsModeOf, withoutParameters } from './decide.ts';
import { applyEdits, type PolicyEdit } from './edits.ts';
import { failedIn, readRule, untoldIn, type Predicate } from './explain-rule.ts';
import type { AuthorizationPolicy, Call, Decision, DenyEntry, PolicyDocument, Rule, WorkloadFacts } from './model.ts';
import { indexScopes, resolveScopes, type ResolvedOperation, type ScopeIndex } from './scopes.ts';
import { suggestEdits, type PolicyReading, type Suggestion } from './suggest.ts';

/** Why a call is allowed or refused: what was asked, rule by rule, and what would change it. Plain data. */
export interface Explanation {
  /** `namespace/name` of who is called. */
  readonly workload: string;
  /** SPIFFE ID; undefined: a caller who proved none. */
  readonly caller: string | undefined;
  readonly port: number;
  /** Undefined: an opaque call. */
  readonly request: { readonly method: string; readonly path: string; readonly host: string } | undefined;
  /**
   * The path that rules were asked: of one with parameters (`/a;v=1/b`) that without them (`/a/b`), where it is that one
   * which is refused. An agent admits such a path only if both are.
   */
  readonly judgedPath: string | undefined;
  readonly verdict: 'allow' | 'deny';
  /** What the rules say. */
  readonly decision: Decision;
  /** Entries that the caller met: with one of them nothing it asks is admitted, whatever rules say. */
  readonly denyLists: readonly DenyListing[];
  /** Of a foreign caller: what would have let it in, were it of the workload's trust domain and no rule about it. */
  readonly defaultAllow: string | undefined;
  /**
   * No rule is even asked: the caller is a plaintext one, and by these documents the port is STRICT. `mode` in agent.yaml may
   * say otherwise where no PeerAuthentication does.
   */
  readonly isTurnedAway: boolean;
  /** Those that select the workload, in the order of the documents. */
  readonly policies: readonly PolicyFinding[];
  readonly notSelected: readonly PassedOver[];
  /** Undefined for a call that is allowed. */
  readonly suggestion: Suggestion | undefined;
}

export interface PolicyFinding {
  /** `namespace/name`. */
  readonly policy: string;
  readonly action: AuthorizationPolicy['action'];
  /** Which workloads it is for. */
  readonly scope: 'labels' | 'namespace' | 'mesh';
  readonly rules: readonly RuleFinding[];
}

export interface RuleFinding {
  /** As decisions name it, e.g. `shop/payments rules[0]`. */
  readonly rule: string;
  /** `rules[0]`. */
  readonly path: string;
  readonly isDryRun: boolean;
  /** The first predicate that failed, of each alternative of the first part (from, to, when) that has none left; none: the rule matches. */
  readonly failed: readonly FailedPredicate[];
  /** Of a rule that matches: what is about HTTP while the call is opaque. Rules that refuse or note take it for met. */
  readonly untold: readonly string[];
}

export type FailedPredicate = Pick<Predicate, 'path' | 'about' | 'wants' | 'values' | 'has'>;

export interface DenyListing extends Pick<DenyEntry, 'reason' | 'expiresAtMs'> {
  /** `namespace/name`. */
  readonly list: string;
}

export interface PassedOver {
  readonly policy: string;
  readonly why: 'other namespace' | 'other labels';
}

/**
 * The verdict of the engine and its reasons. `shutOut`: the entries of deny lists that the caller met; without it all that
 * name its SPIFFE ID, as if they were in force, for its certificate and key are not known. Refuses what the engine would
 * refuse to load for this workload.
 */
export function explain(
  documents: readonly PolicyDocument[],
  workload: WorkloadFacts,
  call: Call,
  shutOut?: readonly DenyEntry[],
): Result<Explanation, readonly CompileProblem[]> {
  const refusedAs = call.http?.alsoMethods && refusedMethodOf(documents, workload, call);
  if (refusedAs !== undefined) return explain(documents, workload, refusedAs, shutOut);
  const compiled = compilePolicies(documents, workload);
  if (!compiled.ok) return compiled;
  const decision = decide(compiled.value, call);
  const { http, principal, port } = call;
  const denyLists = denyListsOf(documents, workload, shutOut ?? denialsOf(documents, call));
  const { isForeign } = new Asked(call, undefined, compiled.value.ownIds);
  const { otherwise } = compiled.value;
  const judged = refusedCall(documents, workload, { call, otherwise: isForeign ? undefined : otherwise });
  return ok({
    workload: documentName(workload),
    caller: principal,
    port,
    request: http && { method: http.method, path: http.path, host: http.host },
    judgedPath: judged.http?.path,
    verdict: decision.allow && denyLists.length === 0 ? 'allow' : 'deny',
    decision,
    denyLists,
    defaultAllow: isForeign ? otherwise : undefined,
    isTurnedAway: principal === undefined && mtlsModeOf(compiled.value, port) === 'STRICT',
    policies: readingsOf(documents, workload, judged).map((reading) => findingOf(reading, workload)),
    notSelected: passedOver(documents, workload),
    suggestion: decision.allow ? undefined : suggestion(documents, workload, call),
  });
}

/** As the first of its methods that is refused; undefined: none is. */
function refusedMethodOf(documents: readonly PolicyDocument[], workload: WorkloadFacts, call: Call): Call | undefined {
  const { alsoMethods = [], ...http } = call.http!;
  return [http.method, ...alsoMethods]
    .map((method): Call => ({ ...call, http: { ...http, method } }))
    .find((each) => !allows(documents, workload, each));
}

interface Judged {
  readonly call: Call;
  /** What admits a call that no rule is about. */
  readonly otherwise: string | undefined;
}

/** The call as it is, unless it is only refused without the parameters of its path. */
function refusedCall(documents: readonly PolicyDocument[], workload: WorkloadFacts, { call, otherwise }: Judged): Call {
  const bare = bareCall(call);
  if (bare === undefined || allows(documents, workload, bare)) return call;
  const matching = readingsOf(documents, workload, call).flatMap(({ document: { action }, rules }) =>
    rules.filter((each) => !each.rule.isDryRun && failedIn(each).length === 0).map(() => action),
  );
  const isAdmitted = matching.includes('ALLOW') || otherwise !== undefined;
  return isAdmitted && !matching.includes('DENY') ? bare : call;
}

/** Undefined: the path has no parameters. */
function bareCall(call: Call): Call | undefined {
  if (call.http?.path.includes(';') !== true) return undefined;
  const bare = withoutParameters(call.http.path);
  return bare.ok ? { ...call, http: { ...call.http, path: bare.value } } : undefined;
}

function allows(documents: readonly PolicyDocument[], workload: WorkloadFacts, call: Call): boolean {
  const compiled = compilePolicies(documents, workload);
  return compiled.ok && decide(compiled.value, call).allow;
}

function isOpenByDefault(documents: readonly PolicyDocument[], workload: WorkloadFacts): boolean {
  const compiled = compilePolicies(documents, workload);
  return compiled.ok && compiled.value.otherwise !== undefined;
}

/** What admits a path without its parameters comes first, then what admits it with them. */
function suggestion(documents: readonly PolicyDocument[], workload: WorkloadFacts, call: Call): Suggestion {
  const edits: PolicyEdit[] = [];
  const alsoFor = new Set<string>();
  for (const asked of [bareCall(call) ?? call, call]) {
    const edited = applyEdits(documents, edits);
    if (allows(edited, workload, asked)) continue;
    const readings = readingsOf(edited, workload, asked);
    const next = suggestEdits({
      documents: edited,
      workload,
      call: asked,
      readings,
      isOpenByDefault: isOpenByDefault(edited, workload),
      allows: (changed) => allows(changed, workload, asked),
    });
    if (!next.possible) return next;
    edits.push(...next.edits);
    for (const each of next.alsoFor) alsoFor.add(each);
  }
  return { possible: true, edits, alsoFor: [...alsoFor] };
}

/** What each policy that selects the workload says to a call. */
function readingsOf(documents: readonly PolicyDocument[], workload: WorkloadFacts, call: Call): PolicyReading[] {
  const near = nearby(documents, workload);
  const scopes = indexScopes(near.filter((document) => document.kind === 'ScopeTemplates'));
  const asked = new Asked(call, call.http?.path, ownIdsOf(workload));
  const { trustDomain } = workload;
  return near
    .filter((document) => document.kind === 'AuthorizationPolicy')
    .filter(({ selector }) => selects(selector, workload))
    .map((document) => {
      const doubt = document.action === 'ALLOW' ? 'narrow' : 'wide';
      const rules = document.rules.map((rule) => readRule(rule, resolved(rule, scopes), { asked, doubt, trustDomain }));
      return { policy: documentName(document), document, rules };
    });
}

function resolved(rule: Rule, scopes: ScopeIndex): readonly ResolvedOperation[] {
  return rule.to.flatMap((operation) => {
    const each = resolveScopes(operation, scopes);
    return each.ok ? [each.value] : [];
  });
}

function findingOf({ policy, document, rules }: PolicyReading, { namespace }: WorkloadFacts): PolicyFinding {
  const isWide = Object.keys(document.selector).length === 0;
  return {
    policy,
    action: document.action,
    scope: isWide ? (document.namespace === namespace ? 'namespace' : 'mesh') : 'labels',
    rules: rules.map((reading) => {
      const failed = failedIn(reading);
      return {
        rule: ruleName(document, reading.rule),
        path: reading.rule.path,
        isDryRun: reading.rule.isDryRun,
        failed: failed.map(({ path, about, wants, values, has }) => ({ path, about, wants, values, has })),
        untold: failed.length > 0 ? [] : untoldIn(reading).map(({ path }) => path),
      };
    }),
  };
}

function passedOver(documents: readonly PolicyDocument[], workload: WorkloadFacts): PassedOver[] {
  const near = new Set(nearby(documents, workload));
  return documents
    .filter((document) => document.kind === 'AuthorizationPolicy')
    .filter((document) => !near.has(document) || !selects(document.selector, workload))
    .map((document) => ({
      policy: documentName(document),
      why: near.has(document) ? 'other labels' : 'other namespace',
    }));
}

/** Entries that name the caller. */
function denialsOf(documents: readonly PolicyDocument[], { principal }: Call): DenyEntry[] {
  return documents.flatMap((document) => {
    if (document.kind !== 'DenyList') return [];
    return document.entries.filter((entry) => 'spiffeId' in entry && entry.spiffeId === principal);
  });
}

/** Where these entries stand. */
function denyListsOf(
  documents: readonly PolicyDocument[],
  workload: WorkloadFacts,
  entries: readonly DenyEntry[],
): DenyListing[] {
  return nearby(documents, workload)
    .filter((document) => document.kind === 'DenyList')
    .flatMap((document) =>
      document.entries
        .filter((entry) => entries.includes(entry))
        .map(({ reason, expiresAtMs }) => ({ list: documentName(document), reason, expiresAtMs })),
    );
}

function nearby(documents: readonly PolicyDocument[], workload: WorkloadFacts): readonly PolicyDocument[] {
  const root = rootNamespaceOf(documents);
  return documents.filter(({ namespace }) => isNear(namespace, workload, root));
}
