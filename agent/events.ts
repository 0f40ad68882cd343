import type { Emit, Level } from '#runtime/log.ts';

/** Every event an agent can log. Keys, tokens, bodies and query strings have no field to go in. */
export type AgentEvent =
  | { readonly event: 'agent.ready'; readonly spiffeId: string; readonly startMs: number }
  | { readonly event: 'agent.draining'; readonly drainMs: number }
  | { readonly event: 'agent.stopped'; readonly outcome: 'drained' | 'killed' }
  | { readonly event: 'agent.failed'; readonly error: unknown; readonly hint?: string }
  | {
      readonly event: 'svid.issued' | 'svid.rotated';
      readonly generation: number;
      readonly serialHex: string;
      readonly notAfterMs: number;
      readonly renewAtMs: number;
      readonly skewMs: number;
    }
  | { readonly event: 'svid.resumed'; readonly serialHex: string; readonly validForMs: number }
  | {
      readonly event: 'svid.renewal-failed';
      readonly failures: number;
      readonly validForMs: number;
      readonly retryInMs: number;
      readonly error: unknown;
    }
  | { readonly event: 'svid.expired'; readonly expiredForMs: number }
  | { readonly event: 'clock.jumped'; readonly byMs: number }
  | { readonly event: 'clock.skewed'; readonly skewMs: number }
  | { readonly event: 'state.not-kept'; readonly error: unknown }
  | { readonly event: 'state.refused'; readonly reason: string }
  | { readonly event: 'control-plane.connected'; readonly address: string }
  | {
      readonly event: 'control-plane.lost';
      readonly validForMs: number;
      readonly retryInMs: number;
      readonly error: unknown;
    }
  | { readonly event: 'bundle.applied'; readonly version: number; readonly roots: number }
  | { readonly event: 'bundle.refused'; readonly version: number; readonly problem: string }
  | { readonly event: 'policies.resumed' | 'policies.applied'; readonly revision: number; readonly documents: number }
  | { readonly event: 'policies.refused'; readonly revision: number; readonly problem: string }
  | {
      readonly event: 'token-keys.applied';
      /** By the name that the configuration gives it. */
      readonly issuer: string;
      readonly keys: number;
      /** Keys of the document that are not for access tokens. */
      readonly passedOver: number;
    }
  /** `keys`: how many of the last good ones are still believed. */
  | { readonly event: 'token-keys.refused'; readonly issuer: string; readonly problem: string; readonly keys: number }
  | {
      readonly event: 'identity-files.applied';
      readonly generation: number;
      readonly serialHex: string;
      readonly notAfterMs: number;
    }
  | { readonly event: 'identity-files.refused'; readonly problem: string; readonly validForMs: number }
  | { readonly event: 'listener.open'; readonly purpose: string; readonly address: string }
  | { readonly event: 'listener.failed'; readonly purpose: string; readonly error: unknown }
  | { readonly event: 'worker.silent'; readonly worker: number }
  | { readonly event: 'worker.answers'; readonly worker: number }
  | { readonly event: 'inbound.handshake-refused'; readonly from: string; readonly reason: string }
  | { readonly event: 'inbound.mode-changed'; readonly port: number; readonly mode: 'STRICT' | 'PERMISSIVE' }
  | {
      readonly event: 'inbound.plaintext-caller';
      readonly client: string;
      readonly port: number;
      readonly protocol: string;
    }
  | {
      readonly event: 'inbound.plaintext-refused';
      readonly client: string;
      readonly port: number;
      readonly reason: string;
      readonly hint: string;
    }
  | {
      readonly event: 'inbound.denied';
      /** Or the `client`: the address of a plaintext caller. */
      readonly principal?: string;
      readonly client?: string;
      readonly port: number;
      readonly reason: string;
      /** Of `denied-by-rule`; of `denied-by-list` the reason that the list gives. */
      readonly rule?: string;
      /** Of `token-refused`: what is wrong with it. */
      readonly token?: string;
      readonly decisionId: string;
    }
  | {
      readonly event: 'inbound.token-audited';
      readonly principal?: string;
      readonly client?: string;
      readonly port: number;
      /** Whom the token is for. */
      readonly audience: string;
    }
  | {
      readonly event: 'inbound.audited';
      readonly principal?: string;
      readonly client?: string;
      readonly port: number;
      readonly rule: string;
    }
  | {
      readonly event: 'inbound.on-trial';
      readonly principal?: string;
      readonly client?: string;
      readonly port: number;
      readonly verdict: 'would-deny' | 'would-allow';
      readonly rule: string;
    }
  | {
      readonly event: 'inbound.http-unread';
      readonly principal?: string;
      readonly client?: string;
      readonly port: number;
    }
  | {
      readonly event: 'inbound.refused';
      readonly principal?: string;
      readonly client?: string;
      readonly port: number;
      readonly reason: string;
      readonly decisionId: string;
    }
  | {
      readonly event: 'inbound.failed';
      readonly principal?: string;
      readonly client?: string;
      readonly port: number;
      readonly reason: string;
      readonly decisionId: string;
    }
  | {
      readonly event: 'outbound.refused';
      readonly destination: string;
      readonly reason: string;
      readonly decisionId: string;
    }
  | {
      readonly event: 'outbound.failed';
      readonly destination: string;
      readonly reason: string;
      readonly decisionId: string;
    }
  | { readonly event: 'peer.refused'; readonly peer: string; readonly address: string; readonly reason: string }
  | { readonly event: 'peer.unreachable'; readonly peer: string; readonly address: string }
  | { readonly event: 'stream.reset'; readonly destination: string; readonly reason: string }
  | {
      readonly event: 'session.re-proved';
      readonly peer: string;
      readonly side: 'dialled' | 'accepted';
      readonly serialHex: string;
      readonly notAfterMs: number;
    }
  | {
      readonly event: 'session.proof-failed';
      readonly peer: string;
      readonly side: 'dialled' | 'accepted';
      readonly reason: string;
    }
  | {
      readonly event: 'token.issued';
      /** The name of a token endpoint, or `control-plane`. */
      readonly issuer: string;
      readonly audience: string;
      readonly lifeMs: number;
    }
  | {
      readonly event: 'token.failed';
      readonly issuer: string;
      readonly audience: string;
      readonly reason: string;
      /** In the issuer's words, of which there are few. */
      readonly detail: string;
      /** In a row. */
      readonly failures: number;
      readonly retryInMs: number;
      /** How long the last good token still serves. */
      readonly validForMs: number;
    }
  | { readonly event: 'gateway.handshake-refused'; readonly client: string; readonly reason: string }
  | {
      readonly event: 'gateway.refused';
      readonly client: string;
      readonly reason: string;
      readonly decisionId: string;
    }
  | {
      readonly event: 'gateway.failed';
      readonly destination: string;
      readonly reason: string;
      readonly decisionId: string;
    }
  | { readonly event: 'gateway.certificate-applied'; readonly serialHex: string; readonly notAfterMs: number }
  | { readonly event: 'gateway.certificate-refused'; readonly problem: string; readonly validForMs: number };

export type AgentEmit = Emit<AgentEvent>;

export const agentEventLevels: Readonly<Record<AgentEvent['event'], Level>> = {
  'agent.ready': 'info',
  'agent.draining': 'info',
  'agent.stopped': 'info',
  'agent.failed': 'error',
  'svid.issued': 'info',
  'svid.rotated': 'info',
  'svid.resumed': 'info',
  'svid.renewal-failed': 'warn',
  'svid.expired': 'error',
  'clock.jumped': 'warn',
  'clock.skewed': 'warn',
  'state.not-kept': 'warn',
  'state.refused': 'warn',
  'control-plane.connected': 'info',
  'control-plane.lost': 'warn',
  'bundle.applied': 'info',
  'bundle.refused': 'error',
  'policies.resumed': 'info',
  'policies.applied': 'info',
  'policies.refused': 'error',
  'token-keys.applied': 'info',
  'token-keys.refused': 'error',
  'identity-files.applied': 'info',
  'identity-files.refused': 'warn',
  'listener.open': 'info',
  'listener.failed': 'error',
  'worker.silent': 'error',
  'worker.answers': 'info',
  'inbound.handshake-refused': 'warn',
  'inbound.mode-changed': 'info',
  'inbound.plaintext-caller': 'info',
  'inbound.plaintext-refused': 'warn',
  'inbound.denied': 'warn',
  'inbound.token-audited': 'warn',
  'inbound.audited': 'info',
  'inbound.on-trial': 'info',
  'inbound.http-unread': 'error',
  'inbound.refused': 'warn',
  'inbound.failed': 'warn',
  'outbound.refused': 'warn',
  'outbound.failed': 'warn',
  'peer.refused': 'error',
  'peer.unreachable': 'warn',
  'stream.reset': 'warn',
  'session.re-proved': 'debug',
  'session.proof-failed': 'warn',
  'token.issued': 'debug',
  'token.failed': 'warn',
  'gateway.handshake-refused': 'debug',
  'gateway.refused': 'info',
  'gateway.failed': 'warn',
  'gateway.certificate-applied': 'info',
  'gateway.certificate-refused': 'warn',
};

/** Events that peers, the app or a storm of changed policies can cause at will: a flood of them is thinned out, see `limitLog`. */
const floodableEvents: ReadonlySet<AgentEvent['event']> = new Set([
  'policies.applied',
  'policies.refused',
  'inbound.handshake-refused',
  'inbound.mode-changed',
  'inbound.plaintext-caller',
  'inbound.plaintext-refused',
  'inbound.denied',
  'inbound.token-audited',
  'inbound.audited',
  'inbound.on-trial',
  'inbound.http-unread',
  'inbound.refused',
  'inbound.failed',
  'outbound.refused',
  'outbound.failed',
  'peer.refused',
  'peer.unreachable',
  'stream.reset',
  'session.proof-failed',
  'token.failed',
  'gateway.handshake-refused',
  'gateway.refused',
  'gateway.failed',
]);

/** Of each of these events: so many at once, and so many per second on. */
export const floodLimit = { limited: floodableEvents, burst: 100, perSecond: 10 };
