import type { AgentEmit } from '#agent/events.ts';
import type { MtlsMode } from '#policy/model.ts';
import type { Clock } from '#runtime/clock.ts';
import {
  maxCallers,
  maxExamples,
  maxPeers,
  type CallerRecord,
  type LedgerReport,
  type PortRecord,
} from './ledger-report.ts';

/** Longer examples are cut. */
const maxExampleChars = 80;

/** What one connection of a plaintext caller does. */
export interface CallerTrack {
  /** Rules let in a request, or an opaque stream. `example`: `METHOD /path` where there is one. */
  admitted(protocol: string, example?: () => string): void;
  refused(protocol: string): void;
  /** The connection is over. Called once. */
  closed(): void;
}

interface Counted {
  firstSeenMs: number;
  lastSeenMs: number;
  lastAdmittedMs: number | null;
  connections: number;
  open: number;
  admitted: number;
  refused: number;
  readonly protocols: string[];
  readonly examples: string[];
}

interface Observed {
  mode: MtlsMode;
  sinceMs: number;
  isUnchanged: boolean;
  readonly callers: Map<string, Counted>;
  overflow: Counted | undefined;
  peerConnections: number;
  peerSeenMs: number | null;
  readonly peers: Set<string>;
}

export interface PlaintextLedgerParts {
  /** Of several ledgers of one agent one tells: they all see the same. */
  readonly modeChanges: 'told' | 'untold';
  readonly clock: Pick<Clock, 'now'>;
  readonly emit: AgentEmit;
}

/**
 * Remembers who calls ports with a listener of their own in plaintext, so that "is strict safe?" has an answer. Bounded:
 * a caller for whom there is no room takes the place of one that was never let in and is not there, or is counted with
 * others. Knows nothing of requests over mTLS.
 */
export class PlaintextLedger {
  readonly #parts: PlaintextLedgerParts;
  readonly #ports = new Map<number, Observed>();
  #callers = 0;
  #changes = 0;

  constructor(parts: PlaintextLedgerParts) {
    this.#parts = parts;
  }

  /** The port's listener is open, or its mode may have changed. */
  observe(port: number, mode: MtlsMode): void {
    const { clock, emit, modeChanges } = this.#parts;
    const known = this.#ports.get(port);
    if (known?.mode === mode) return;
    this.#changes += 1;
    if (known !== undefined) {
      Object.assign(known, { mode, sinceMs: clock.now(), isUnchanged: false });
      if (modeChanges === 'told') emit({ event: 'inbound.mode-changed', port, mode });
      return;
    }
    this.#ports.set(port, {
      ...{ mode, sinceMs: clock.now(), isUnchanged: true, callers: new Map(), overflow: undefined },
      ...{ peerConnections: 0, peerSeenMs: null, peers: new Set() },
    });
  }

  /** A verified peer begins a connection to a port that is observed; other ports do not count. */
  peer(port: number, spiffeId: string): void {
    const observed = this.#ports.get(port);
    if (observed === undefined) return;
    this.#changes += 1;
    observed.peerConnections += 1;
    observed.peerSeenMs = this.#parts.clock.now();
    if (observed.peers.size < maxPeers) observed.peers.add(spiffeId);
  }

  /** A connection in plaintext to a port that is observed. */
  connected(port: number, address: string): CallerTrack {
    const observed = this.#ports.get(port);
    if (observed === undefined) throw new Error(`port ${port} is not observed`);
    const nowMs = this.#parts.clock.now();
    const counted = this.#countedOf(observed, address, nowMs);
    this.#changes += 1;
    counted.lastSeenMs = nowMs;
    counted.connections += 1;
    counted.open += 1;
    return {
      admitted: (protocol, example) => {
        if (counted.admitted === 0 && counted !== observed.overflow) {
          this.#parts.emit({ event: 'inbound.plaintext-caller', client: address, port, protocol });
        }
        this.#seen(counted, protocol);
        counted.lastAdmittedMs = counted.lastSeenMs;
        counted.admitted += 1;
        if (example !== undefined && counted.examples.length < maxExamples) addExample(counted.examples, example());
      },
      refused: (protocol) => {
        this.#seen(counted, protocol);
        counted.refused += 1;
      },
      closed: () => {
        this.#changes += 1;
        counted.lastSeenMs = this.#parts.clock.now();
        counted.open -= 1;
      },
    };
  }

  /** Plain values. `document`: see `LedgerReport`. */
  report(document: string | undefined): LedgerReport {
    const ports = Array.from(this.#ports, ([port, observed]): PortRecord => {
      const { mode, sinceMs, isUnchanged, callers, overflow, peers } = observed;
      return {
        ...{ port, mode, sinceMs, isUnchanged },
        callers: Array.from(callers, ([address, counted]): CallerRecord => ({
          ...{ address, ...counted },
          ...{ protocols: [...counted.protocols], examples: [...counted.examples] },
        })),
        overflow: overflow === undefined ? null : tallyOf(overflow),
        peers: { connections: observed.peerConnections, lastSeenMs: observed.peerSeenMs, names: [...peers] },
      };
    });
    return { changes: this.#changes, document: document ?? null, ports };
  }

  #seen(counted: Counted, protocol: string): void {
    this.#changes += 1;
    counted.lastSeenMs = this.#parts.clock.now();
    if (!counted.protocols.includes(protocol)) counted.protocols.push(protocol); // there is a handful of them
  }

  #countedOf(observed: Observed, address: string, nowMs: number): Counted {
    const known = observed.callers.get(address);
    if (known !== undefined) return known;
    if (this.#callers >= maxCallers && !this.#makeRoom()) return (observed.overflow ??= nothingSince(nowMs));
    const counted = nothingSince(nowMs);
    observed.callers.set(address, counted);
    this.#callers += 1;
    return counted;
  }

  /** Whoever was never let in and is not there any more loses nothing in strict mode. */
  #makeRoom(): boolean {
    for (const observed of this.#ports.values()) {
      for (const [address, counted] of observed.callers) {
        if (counted.admitted > 0 || counted.open > 0) continue;
        observed.callers.delete(address);
        this.#callers -= 1;
        const overflow = (observed.overflow ??= nothingSince(counted.firstSeenMs));
        overflow.connections += counted.connections;
        overflow.refused += counted.refused;
        overflow.firstSeenMs = Math.min(overflow.firstSeenMs, counted.firstSeenMs);
        overflow.lastSeenMs = Math.max(overflow.lastSeenMs, counted.lastSeenMs);
        return true;
      }
    }
    return false;
  }
}

function nothingSince(nowMs: number): Counted {
  return {
    ...{ firstSeenMs: nowMs, lastSeenMs: nowMs, lastAdmittedMs: null },
    ...{ connections: 0, open: 0, admitted: 0, refused: 0, protocols: [], examples: [] },
  };
}

function tallyOf({ protocols: _p, examples: _e, ...tally }: Counted) {
  return tally;
}

function addExample(examples: string[], example: string): void {
  const text = example.length > maxExampleChars ? `${example.slice(0, maxExampleChars)}…` : example;
  if (!examples.includes(text)) examples.push(text);
}
