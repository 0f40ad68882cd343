import { ok, type Result } from '#runtime/result.ts';
import { openPinnedChannel, type ByteStream, type CallOptions } from './channel.ts';
import { readable } from './garbled.ts';
import {
  encodeIssueCertificateRequest,
  parseIssueCertificateResponse,
  type IssueCertificateRequest,
  type IssueCertificateResponse,
} from './issue-messages.ts';
import {
  encodeWatchRequest,
  meshPaths,
  parseWatchResponse,
  versionOfWatchResponse,
  type WatchRequest,
  type WatchResponse,
} from './messages.ts';
import type { PinnedServer } from './pinned-tls.ts';
import type { Refusal } from './refusal.ts';
import {
  encodeExchangeTokenRequest,
  parseExchangeTokenResponse,
  type ExchangeTokenRequest,
  type ExchangeTokenResponse,
} from './token-messages.ts';

export interface MeshClientOptions extends PinnedServer {
  /** `host:port` of the control plane; an IPv6 host in brackets. */
  readonly address: string;
}

export interface MeshClient {
  /**
   * A refusal is the control plane's answer. Throws the Faults CONTROL_PLANE_UNREACHABLE (no answer in time),
   * CONTROL_PLANE_UNTRUSTED (somebody else answered) and CONTROL_PLANE_GARBLED, or the signal's reason.
   */
  issueCertificate(
    request: IssueCertificateRequest,
    options: CallOptions,
  ): Promise<Result<IssueCertificateResponse, Refusal>>;
  /** Needs an identity: the token is its workload's, and bound to its SVID. Throws as `issueCertificate` does. */
  exchangeToken(request: ExchangeTokenRequest, options: CallOptions): Promise<Result<ExchangeTokenResponse, Refusal>>;
  /** Needs an identity. The stream ends when that identity's SVID expires, the signal aborts or the control plane stops. */
  watch(signal: AbortSignal): WatchStream;
  close(): void;
}

export interface WatchStream {
  send(request: WatchRequest): Promise<void>;
  /**
   * Ends when the control plane says goodbye; throws a Fault when the stream broke or was refused. A message that
   * cannot be read is left out, and its acknowledgement already says so.
   */
  readonly messages: AsyncIterable<WatchResponse>;
}

/** Talks to the control plane of one trust domain, pinned: see `connectPinned`. A changed identity needs a new client. */
export function createMeshClient(options: MeshClientOptions): MeshClient {
  const channel = openPinnedChannel(options.address, options);
  return {
    async issueCertificate(request, callOptions) {
      const reply = await channel.unary(
        meshPaths.issueCertificate,
        encodeIssueCertificateRequest(request),
        callOptions,
      );
      return reply.ok ? ok(readable(parseIssueCertificateResponse(reply.value))) : reply;
    },
    async exchangeToken(request, callOptions) {
      const reply = await channel.unary(meshPaths.exchangeToken, encodeExchangeTokenRequest(request), callOptions);
      return reply.ok ? ok(readable(parseExchangeTokenResponse(reply.value))) : reply;
    },
    watch(signal) {
      const stream = channel.duplex(meshPaths.watch, signal);
      return {
        send: (request) => stream.send(encodeWatchRequest(request)),
        messages: readWatchResponses(stream),
      };
    },
    close: () => channel.close(),
  };
}

async function* readWatchResponses(stream: ByteStream): AsyncIterable<WatchResponse> {
  for await (const bytes of stream.messages) {
    const response = parseWatchResponse(bytes);
    if (response.ok) yield response.value;
    else {
      const version = versionOfWatchResponse(bytes);
      await stream.send(encodeWatchRequest({ kind: 'acknowledge', version, problem: response.reason }));
    }
  }
}
