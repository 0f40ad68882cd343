/** Who calls (egress shows its certificate), who is called (ingress shows it), and who may stand between them. */
export type Workload = 'cart' | 'prices' | 'gateway';

/** What the load generator, the pair and the app speak: HTTP/1.1, HTTP/2 without TLS, or bytes. */
export type Protocol = 'http' | 'http2' | 'tcp';

/** Where a pair stands, and what it is to show and to check. All addresses are 127.0.0.1. */
export interface Place {
  /** For files of this process alone; exists. */
  readonly dir: string;
  readonly trustDomain: string;
  readonly protocol: Protocol;
  /** From the load generator, plain. */
  readonly egressPort: number;
  /** mTLS between the two. */
  readonly ingressPort: number;
  /** To the app, plain. */
  readonly appPort: number;
  /** Holds `tls.crt` (leaf and intermediate), `tls.key`, `ca.crt` (root) and `both.pem` (chain and key). */
  certificatesOf(workload: Workload): string;
  /** For those that check SPIFFE IDs. */
  spiffeIdOf(workload: Workload): string;
  /** For those that check host names: the same certificate's DNS name. Its subject is `CN=<workload>`. */
  hostNameOf(workload: Workload): string;
}

/** What shows that a process is ready to work. */
export type ReadySign =
  | { readonly kind: 'logged'; readonly text: string }
  | { readonly kind: 'port-open'; readonly port: number };

/** How to start one process. */
export interface Launch {
  /** Written before the start, name → content, into `dir`. */
  readonly files: Readonly<Record<string, string>>;
  readonly dir: string;
  readonly words: readonly string[];
  readonly ready: ReadySign;
}

/**
 * One kind of proxy pair. The same duties for all: TLS 1.3 with a client certificate at both ends, verified; only `cart`
 * may call and only `prices` may answer; the app gets `x-forwarded-client-cert` from the proxy and never from the caller;
 * connections are kept; one worker, no access log, no session resumption. Where bytes are carried there is no header, and
 * HTTP connections need not be kept.
 *
 * A new one is a file here and a line in `subjects.ts`.
 */
export interface Subject {
  readonly name: string;
  /** Looked for on PATH; `node`: the Node that runs the bench. */
  readonly program: string;
  readonly versionWords: readonly string[];
  /** `full`: left out by `--quick`. */
  readonly effort: 'always' | 'full';
  /** `none`: it neglects them, to show what they cost. */
  readonly duties: 'checked' | 'none';
  /** Why it cannot be measured with a protocol; undefined where it can. */
  lacks(protocol: Protocol): string | undefined;
  egress(place: Place): Launch;
  ingress(place: Place): Launch;
}
