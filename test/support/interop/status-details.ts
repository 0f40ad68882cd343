import { join } from 'node:path';
import protobuf from 'protobufjs';

/** The details of a gRPC status, as a client that knows google.rpc reads them. */
export interface StatusDetails {
  readonly code: number;
  readonly message: string;
  /** By the name of their type. */
  readonly details: Readonly<Record<string, object>>;
}

const root = protobuf.loadSync(join(import.meta.dirname, '..', 'foreign', 'grpc', 'status.proto'));
interface RawStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly { readonly typeUrl: string; readonly value: Uint8Array }[];
}

/** Reads `grpc-status-details-bin`; throws what is none. */
export function readStatusDetails(bytes: Uint8Array): StatusDetails {
  const { code, message, details } = root.lookupType('google.rpc.Status').decode(bytes) as unknown as RawStatus;
  const read = details.map(({ typeUrl, value }) => {
    const name = /^type\.googleapis\.com\/(google\.rpc\.\w+)$/.exec(typeUrl)?.[1] ?? '';
    const type = root.lookupType(name);
    return [type.name, type.toObject(type.decode(value))] as const;
  });
  return { code, message, details: Object.fromEntries(read) };
}

/** What our agents say in them: the status's name, whose it is, and the decision. */
export function ourDetails(status: string, decisionId: string): StatusDetails['details'] {
  return { ErrorInfo: { reason: status, domain: 'eastwest.dev' }, RequestInfo: { requestId: decisionId } };
}
