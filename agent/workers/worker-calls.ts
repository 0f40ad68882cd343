import type { CounterValues } from '#agent/admin/sum-counters.ts';
import type { Address, AgentConfig } from '#agent/config-types.ts';
import type { OpenListener, Side } from '#agent/data-path.ts';
import type { AgentEvent } from '#agent/events.ts';
import type { KnownWorkload } from '#agent/outbound/destination.ts';
import type { LedgerReport } from '#agent/plaintext/ledger-report.ts';
import type { PushedPolicies } from '#agent/policy/policy-compiler.ts';
import type { ToldDecision } from '#agent/policy/told-decision.ts';
import type { TrustedKeys } from '#agent/tokens/issuer-keys.ts';
import type { KeptToken, TokenLack } from '#agent/tokens/kept-token.ts';
import type { TokenWish } from '#agent/tokens/token-wish.ts';
import type { Result } from '#runtime/result.ts';
import type { FaultMessage } from './fault-message.ts';
import type { IdentityMessage } from './identity-message.ts';

/** What a worker thread is started with. */
export interface WorkerStart {
  /** Counts from 1. */
  readonly worker: number;
  /** Its ceilings are this worker's share. */
  readonly config: AgentConfig;
}

export interface Opened {
  readonly listeners: readonly OpenListener[];
  /** Every socket that listens now, in the order of their opening. */
  readonly addresses: readonly Address[];
}

/** Everything that a worker can be asked; each call is answered once, in the order of the calls. */
export interface WorkerCalls {
  /** Answered when new connections use it. */
  readonly identity: Call<IdentityMessage, undefined>;
  readonly workloads: Call<readonly KnownWorkload[], undefined>;
  readonly policies: Call<PushedPolicies, undefined>;
  readonly tokenKeys: Call<TrustedKeys, undefined>;
  /** `addresses`: where the first worker listens; without them this is the first one, which chooses free ports. */
  readonly open: Call<{ readonly side: Side; readonly addresses: readonly Address[] | undefined }, Opened>;
  /** Answers a `token-wanted` of the worker's. */
  readonly token: Call<{ readonly id: number; readonly result: Result<KeptToken, TokenLack> }, undefined>;
  readonly decision: Call<string, ToldDecision | undefined>;
  readonly plaintextCallers: Call<undefined, LedgerReport>;
  readonly report: Call<undefined, Report>;
  /** Whether its event loop still turns. */
  readonly ping: Call<undefined, undefined>;
  readonly drain: Call<Side, undefined>;
  readonly end: Call<undefined, undefined>;
}

export interface Report {
  readonly counters: CounterValues;
  readonly connections: Readonly<Record<Side, number>>;
}

interface Call<Argument, Answer> {
  readonly argument: Argument;
  readonly answer: Answer;
}

export type CallName = keyof WorkerCalls;

/** To a worker. */
export type WorkerRequest = {
  readonly [Name in CallName]: {
    readonly id: number;
    readonly call: Name;
    readonly argument: WorkerCalls[Name]['argument'];
  };
}[CallName];

/** From a worker. */
export type WorkerMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly value: WorkerCalls[CallName]['answer'] }
  | { readonly kind: 'fault'; readonly id: number; readonly fault: FaultMessage }
  | { readonly kind: 'keys-wanted'; readonly issuer: string }
  | { readonly kind: 'token-wanted'; readonly id: number; readonly thumbprint: string; readonly wish: TokenWish }
  | { readonly kind: 'event'; readonly event: AgentEvent };
