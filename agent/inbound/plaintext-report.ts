import type { Refused } from '#agent/access-log/access-log.ts';
import type { Answer } from '#agent/http/answers.ts';
import type { RequestHead } from '#agent/http/head.ts';
import type { CallerTrack } from '#agent/plaintext/plaintext-ledger.ts';
import type { InboundPeer, PlaintextPeer } from './inbound-peer.ts';
import { InboundReport, type InboundReportParts } from './report.ts';

/** Counts and logs what one caller does at one port; one that proved nothing also stands in the ledger. */
export function createInboundReport(parts: InboundReportParts, peer: InboundPeer, port: number): InboundReport {
  return peer.spiffeId === undefined ? new PlaintextReport(parts, peer, port) : new InboundReport(parts, peer, port);
}

class PlaintextReport extends InboundReport {
  readonly #track: CallerTrack;

  constructor(parts: InboundReportParts, peer: PlaintextPeer, port: number) {
    super(parts, peer, port);
    this.#track = peer.track;
  }

  override permitted(what: RequestHead | 'opaque', path: string): void {
    this.parts.counters.plaintextAdmitted += 1;
    if (what === 'opaque') this.#track.admitted(what);
    else this.#track.admitted(protocolOf(what), () => `${what.method} ${path}`);
  }
  protected override logDenied(what: Refused, answer: Answer, reason: string): Answer {
    this.parts.counters.plaintextRefused += 1;
    this.#track.refused(protocolOf(what));
    return super.logDenied(what, answer, reason);
  }
}

function protocolOf(what: Refused): string {
  if (what === 'opaque') return what;
  if (what === 'unread') return 'HTTP';
  return what.version === '2' ? 'HTTP/2' : `HTTP/${what.version}`;
}
