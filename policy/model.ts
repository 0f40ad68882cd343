import type { SpiffeId } from '#certs/spiffe-id.ts';

/** Whose words a document uses: Istio's, for the fields that we support, or our own. */
export type Dialect = 'security.istio.io/v1' | 'eastwest.dev/v1';

/**
 * What a text is compared with. `template`, `below`: paths only, segment by segment. `below` is what lies under these
 * segments (`/groups/1/*`), not the path itself.
 */
export type Pattern =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly text: string }
  /** `*`: not empty. */
  | { readonly kind: 'present' }
  | { readonly kind: 'template'; readonly segments: readonly TemplateSegment[] }
  | { readonly kind: 'below'; readonly segments: readonly string[] };

/** `one`: any one segment that is not empty (`{*}`, `{name}`); `any`: any number of them, none included (`{**}`). */
export type TemplateSegment = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'one' | 'any' };

/** Where in the mesh a document stands. */
export interface PolicyName {
  readonly namespace: string;
  readonly name: string;
}

export interface AuthorizationPolicy extends PolicyName {
  readonly kind: 'AuthorizationPolicy';
  readonly dialect: Dialect;
  readonly selector: Selector;
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT';
  /** Empty: matches nothing, so that an ALLOW policy of that kind lets nobody in. */
  readonly rules: readonly Rule[];
}

/** Labels that a workload must have; without any, every workload of the namespace, of the mesh in the root namespace. */
export type Selector = Readonly<Record<string, string>>;

/** One source, one operation and every condition must match. */
export interface Rule {
  /** Where it stands in its document, e.g. `rules[3]`. */
  readonly path: string;
  /** Named in decisions (`would-deny`, `would-allow`), counts for nothing. Ours only. */
  readonly isDryRun: boolean;
  /** Empty: anyone, strangers included. */
  readonly from: readonly Source[];
  /** Empty: anything. */
  readonly to: readonly Operation[];
  readonly when: readonly Condition[];
}

/** Every field that is there must match. Of foreign callers more is asked: `foreign-caller.ts`. */
export interface Source {
  /** Without `spiffe://`, as Istio writes them: `prod.example/ns/shop/sa/cart`. */
  readonly principals?: readonly Pattern[];
  readonly notPrincipals?: readonly Pattern[];
  readonly namespaces?: readonly Pattern[];
  readonly notNamespaces?: readonly Pattern[];
  /** `<iss>/<sub>` of the access token; like all that is about it, of HTTP only. */
  readonly requestPrincipals?: readonly Pattern[];
  readonly notRequestPrincipals?: readonly Pattern[];
  /** One of the token's roles. Ours only. */
  readonly roles?: readonly Pattern[];
  readonly notRoles?: readonly Pattern[];
}

/** Every field that is there must match. All but the ports can be judged of HTTP only. */
export interface Operation {
  readonly hosts?: readonly Pattern[];
  readonly notHosts?: readonly Pattern[];
  readonly ports?: readonly number[];
  readonly notPorts?: readonly number[];
  readonly methods?: readonly Pattern[];
  readonly notMethods?: readonly Pattern[];
  readonly paths?: readonly Pattern[];
  readonly notPaths?: readonly Pattern[];
  /**
   * Names of `ScopeTemplates`: any method and path that one of them stands for. Who admits by it wants a token with that scope;
   * who refuses or notes does not ask for one. Ours only.
   */
  readonly scopes?: readonly string[];
}

export interface Condition {
  readonly key: ConditionKey;
  readonly values?: readonly Pattern[];
  readonly notValues?: readonly Pattern[];
}

/** What a condition can be about. */
export type ConditionKey =
  | { readonly of: 'source.principal' | 'source.namespace' | 'destination.port' }
  /** Lower case. */
  | { readonly of: 'request.headers'; readonly name: string }
  | { readonly of: 'request.auth.principal' | 'request.auth.audiences' | 'request.auth.presenter' }
  /** `request.auth.claims[realm_access][roles]`. */
  | { readonly of: 'request.auth.claims'; readonly path: readonly string[] };

export interface PeerAuthentication extends PolicyName {
  readonly kind: 'PeerAuthentication';
  readonly selector: Selector;
  /** Undefined: as the wider scope says. */
  readonly mode: MtlsMode | undefined;
  readonly ports: ReadonlyMap<number, MtlsMode>;
}

export type MtlsMode = 'STRICT' | 'PERMISSIVE';

export interface DenyList extends PolicyName {
  readonly kind: 'DenyList';
  readonly entries: readonly DenyEntry[];
}

export type DenyEntry = DenyTarget & {
  readonly reason: string;
  /** Milliseconds since 1970; undefined: for good. */
  readonly expiresAtMs: number | undefined;
};

/**
 * Whom a deny list names: a workload, one certificate (serial in lower-case hex), or one key (64 hex, SHA-256 of the SPKI);
 * or tokens: one, all that a key signed, all of a client, all of a user. Names are in NFC and compared exactly (A71).
 */
export type DenyTarget = WorkloadTarget | TokenTarget;

export type WorkloadTarget =
  | { readonly spiffeId: SpiffeId }
  | { readonly serial: string }
  | { readonly keyThumbprint: string };

export type TokenTarget = (
  | { readonly jti: string }
  | { readonly kid: string }
  /** `client_id`, `azp`, or whoever acts for the subject. */
  | { readonly client: string }
  /** `sub`. */
  | { readonly user: string }
) & {
  /** Whose tokens; undefined: every issuer's. */
  readonly issuer?: string | undefined;
};

/** What holds where no document says otherwise. */
export interface MeshPolicy extends PolicyName {
  readonly kind: 'MeshPolicy';
  /** Of a call to a workload that no ALLOW policy selects. */
  readonly defaultAction: 'deny' | 'allow';
  /** Whose documents hold for every namespace. */
  readonly rootNamespace: string;
}

export interface ScopeTemplates extends PolicyName {
  readonly kind: 'ScopeTemplates';
  readonly scopes: readonly ScopeTemplate[];
}

/** `DELETE /groups/{group}/documents/{document}` is `groups.documents.delete` (S86). */
export interface ScopeTemplate {
  readonly scope: string;
  readonly method: string;
  readonly path: Pattern;
}

export type PolicyDocument = AuthorizationPolicy | PeerAuthentication | DenyList | MeshPolicy | ScopeTemplates;

/** Whom documents are for. */
export interface WorkloadFacts extends PolicyName {
  /** Its own: callers of others are foreign, and admitted only where that is named in full (A44). */
  readonly trustDomain: string;
  /** Outside Kubernetes `app` and `app.kubernetes.io/name`, both with the workload's name. */
  readonly labels: Readonly<Record<string, string>>;
  /** What is spoken at each; undefined: not known here. */
  readonly ports: ReadonlyMap<number, 'http' | 'http2' | 'tcp' | 'auto'> | undefined;
}

/** What is asked: somebody wants to use a port. */
export interface Call {
  /** Undefined: nobody proved anything (a plaintext caller of a permissive port). */
  readonly principal: SpiffeId | undefined;
  readonly port: number;
  /** Undefined: opaque. */
  readonly http: HttpCall | undefined;
}

export interface HttpCall {
  readonly method: string;
  /** Methods that some apps take it for, asked by a header (A57): it must be admitted as each of them, too. */
  readonly alsoMethods?: readonly string[] | undefined;
  /** Normalised, without its query. */
  readonly path: string;
  /** As it was sent, with the port where there was one. */
  readonly host: string;
  /** That came with it and was found good, and the caller's own; undefined: none was. */
  readonly token?: CallToken | undefined;
  /** Every value of a field in any of its spellings, in order; the name in lower case. */
  readonly header: (name: string) => readonly string[];
}

/** What an access token says (RFC 9068), under our names whoever issued it. */
export interface CallToken {
  readonly issuer: string;
  /** Unique together with `issuer`. */
  readonly subject: string;
  readonly clientId: string;
  readonly audience: string;
  readonly authorizedParty: string | undefined;
  readonly tokenId: string;
  readonly kid: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** Who acts for the subject, the current one first. */
  readonly actors: readonly { readonly subject: string }[];
  /** As signed. */
  readonly claims: ReadonlyMap<string, unknown>;
}

export type Decision = Verdict & {
  /** Rules of AUDIT policies that match. */
  readonly audited: readonly string[];
  readonly dryRun: readonly DryRun[];
};

/** Rules are named `namespace/name rules[3]`. */
export type Verdict =
  | { readonly allow: true; readonly rule: string }
  | { readonly allow: false; readonly reason: 'no-rule-matches' }
  | { readonly allow: false; readonly reason: 'denied-by-rule'; readonly rule: string };

/** What rules on trial would have changed. */
export interface DryRun {
  readonly verdict: 'would-deny' | 'would-allow';
  /** Of an ALLOW policy that admits nothing but what it names, and does not name the call: `namespace/name`. */
  readonly rule: string;
}
