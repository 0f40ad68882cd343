import type { Attachment } from '#agent/http/attachment.ts';
import type { RequestHead } from '#agent/http/head.ts';
import type { Upstream } from '#agent/http/message.ts';
import type { HandedOver } from '#agent/http/service.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Result } from '#runtime/result.ts';
import type { OutboundProblem } from './answers.ts';
import type { CommonMemory } from './common-memory.ts';
import type { OutboundReport } from './report.ts';

/** Where a request goes: to whoever answers it, or to a new protocol on the same connection. */
export type Routed =
  | {
      readonly kind: 'forward';
      readonly upstream: Upstream<OutboundProblem>;
      readonly report: OutboundReport;
      /** Undefined: none. */
      readonly token?: TokenOnRoute | undefined;
    }
  | { readonly kind: 'hand-over'; readonly answer: Buffer; readonly serve: (pipe: Pipe) => HandedOver };

/** What is attached to the requests of one route. */
export interface TokenOnRoute {
  /** Of the field, lower case: what the app sends under it, in any spelling, is left out. */
  readonly header: string;
  readonly attachment: Attachment;
}

/** Decides for the requests of one connection of the app. */
export interface Route {
  /** On whatever cannot be routed. */
  readonly report: OutboundReport;
  /** Undefined where connections have nothing in common. */
  readonly common: CommonMemory | undefined;
  /** The same object for the same way. */
  find(head: RequestHead): Result<Routed, OutboundProblem>;
  /** The connection is over. */
  close(): void;
}
