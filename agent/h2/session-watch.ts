import type { Clock } from '#runtime/clock.ts';
import type { CloseReason } from './errors.ts';
import type { H2Times } from './session-options.ts';
import { SessionTimers } from './session-timers.ts';

/** What the watch looks at from time to time. */
export interface WatchedSession {
  readonly openStreams: number;
  /** Counts every stream there has been. */
  readonly everOpened: number;
  /** The number of the field block that is not complete; 0: none. */
  readonly openBlock: number;
  /** Whether the wire takes nothing now, and how often it has begun to take again. */
  readonly isBlocked: boolean;
  readonly drains: number;
  expire(reason: CloseReason): void;
}

/** The deadlines of one session. None is moved by a request: what runs looks now and then whether something has moved. */
export class SessionWatch {
  readonly #times: H2Times;
  readonly #timers: SessionTimers;
  readonly #session: WatchedSession;

  constructor(clock: Clock, times: H2Times, session: WatchedSession) {
    this.#times = times;
    this.#timers = new SessionTimers(clock);
    this.#session = session;
  }

  start(): void {
    this.#expireAfter('preface', this.#times.prefaceMs, 'preface-timeout');
    this.#watchIdle(-1);
  }

  onSettings(): void {
    this.#timers.stop('preface');
    this.#expireAfter('settings', this.#times.settingsMs, 'settings-timeout');
  }
  onSettingsAck(): void {
    this.#timers.stop('settings');
  }

  /** False: a sign of life is awaited already. */
  onPing(ms: number): boolean {
    if (this.#timers.isRunning('ping')) return false;
    this.#expireAfter('ping', ms, 'ping-timeout');
    return true;
  }
  onPong(): void {
    this.#timers.stop('ping');
  }

  /** A field block stops everything else, so it has to come in time. */
  onOpenBlock(): void {
    if (this.#timers.isRunning('head')) return;
    const { openBlock } = this.#session;
    this.#timers.start('head', this.#times.headMs, () => {
      if (this.#session.openBlock === openBlock) this.#session.expire('head-timeout');
      else if (this.#session.openBlock !== 0) this.onOpenBlock();
    });
  }

  onBlocked(): void {
    if (this.#timers.isRunning('stall')) return;
    const { drains } = this.#session;
    this.#timers.start('stall', this.#times.stallMs, () => {
      if (!this.#session.isBlocked) return;
      if (drains === this.#session.drains) this.#session.expire('wire-stalled');
      else this.onBlocked();
    });
  }

  /** Calls once after `ms` unless the session is over before. */
  after(name: 'goaway' | 'linger', ms: number, fire: () => void): void {
    this.#timers.start(name, ms, fire);
  }

  stop(): void {
    this.#timers.stopAll();
  }

  /** `before`: how many streams there had been when it was found without one, else -1. */
  #watchIdle(before: number): void {
    this.#timers.start('idle', this.#times.idleMs / 2, () => {
      const { openStreams, everOpened } = this.#session;
      if (openStreams > 0) this.#watchIdle(-1);
      else if (everOpened === before) this.#session.expire('idle');
      else this.#watchIdle(everOpened);
    });
  }

  #expireAfter(name: 'preface' | 'settings' | 'ping', ms: number, reason: CloseReason): void {
    this.#timers.start(name, ms, () => this.#session.expire(reason));
  }
}
