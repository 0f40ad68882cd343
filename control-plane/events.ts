import type { Level } from '#runtime/log.ts';
import type { IssueRefusalReason } from '#control-plane/ca/refusals.ts';

/** Everything the control plane can log. Tokens, keys and CSRs have no field to go in. */
export type ControlPlaneEvent =
  | {
      event: 'control-plane.ready';
      address: string;
      trustDomain: string;
      spiffeId: string;
      trustBundle: string;
      adminSocket: string;
    }
  | { event: 'control-plane.stopped' }
  | { event: 'authority.created'; authority: 'root' | 'intermediate'; serialHex: string; notAfterMs: number }
  | { event: 'authority.renewal-failed'; notAfterMs: number; error: unknown }
  | { event: 'own-svid.rotated'; serialHex: string; notAfterMs: number }
  | { event: 'own-svid.rotation-failed'; validForMs: number; error: unknown }
  | {
      event: 'certificate.issued';
      spiffeId: string;
      serialHex: string;
      notAfterMs: number;
      attestation: string;
      peer: string;
    }
  | {
      event: 'certificate.refused';
      reason: IssueRefusalReason;
      detail?: string;
      spiffeId?: string;
      peer: string;
      repeats: number;
    }
  | { event: 'join-token.created'; spiffeId: string; tokenId: string; expiresAtMs: number }
  | { event: 'watch.opened'; spiffeId: string; peer: string }
  | { event: 'watch.closed'; spiffeId: string; peer: string }
  | { event: 'watch.refused'; reason: string; peer: string }
  | { event: 'watch.not-applied'; spiffeId: string; version: number; problem: string }
  | { event: 'endpoints.changed'; spiffeId: string; endpoints: number }
  | { event: 'endpoints.refused'; spiffeId: string; endpoints: number; refused: number }
  | { event: 'policies.changed'; revision: number; created: number; changed: number; deleted: number }
  | {
      event: 'policy-files.refused';
      file: string;
      line: number;
      column: number;
      path: string;
      problem: string;
      problems: number;
    }
  | { event: 'policy-files.doubtful'; file: string; line: number; path: string; problem: string; problems: number }
  | { event: 'registration.changed'; registration: string; change: string; revision: number; operator: string }
  | { event: 'registration.unreadable'; registration: string; problem: string }
  | { event: 'operator.changed'; name: string; change: 'added' | 'removed'; operator: string }
  | {
      event: 'administration.refused';
      action: string;
      subject: string;
      reason: string;
      operator: string;
      repeats: number;
    }
  | {
      event: 'signing-key.changed';
      kid: string;
      change: 'published' | 'signs' | 'retired' | 'dropped' | 'revoked';
    }
  | { event: 'signing-keys.rotation-failed'; error: unknown }
  | { event: 'tokens.issued'; client: string; audience: string; grant: string; count: number }
  | { event: 'token.refused'; reason: string; detail: string; client: string; audience: string; peer: string }
  | { event: 'request.failed'; error: unknown };

export const controlPlaneLevels: Readonly<Record<ControlPlaneEvent['event'], Level>> = {
  'control-plane.ready': 'info',
  'control-plane.stopped': 'info',
  'authority.created': 'info',
  'authority.renewal-failed': 'error',
  'own-svid.rotated': 'info',
  'own-svid.rotation-failed': 'error',
  'certificate.issued': 'debug',
  'certificate.refused': 'warn',
  'join-token.created': 'info',
  'watch.opened': 'info',
  'watch.closed': 'info',
  'watch.refused': 'warn',
  'watch.not-applied': 'warn',
  'endpoints.changed': 'info',
  'endpoints.refused': 'warn',
  'policies.changed': 'info',
  'policy-files.refused': 'error',
  'policy-files.doubtful': 'warn',
  'registration.changed': 'info',
  'registration.unreadable': 'error',
  'operator.changed': 'info',
  'administration.refused': 'warn',
  'signing-key.changed': 'info',
  'signing-keys.rotation-failed': 'error',
  'tokens.issued': 'debug',
  'token.refused': 'warn',
  'request.failed': 'error',
};

/** A stranger, or one workload gone bad, can cause these at will. */
export const floodableEvents: ReadonlySet<ControlPlaneEvent['event']> = new Set([
  'certificate.refused',
  'watch.opened',
  'watch.closed',
  'watch.refused',
  'watch.not-applied',
  'endpoints.changed',
  'endpoints.refused',
  'token.refused',
]);
