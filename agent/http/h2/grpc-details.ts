/** An error of ours, as gRPC clients are told of it. */
export interface GrpcError {
  /** Of gRPC, 1 to 16. */
  readonly code: number;
  readonly message: string;
  readonly decisionId: string;
}

/** Names by their code (google/rpc/code.proto). */
const codeNames = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];

/** Whose errors these are: of the mesh, not of the app that was called. */
const domain = 'eastwest.dev';

/**
 * The value of `grpc-status-details-bin`: a google.rpc.Status (google/rpc/status.proto) with two details of
 * google/rpc/error_details.proto. ErrorInfo: the status's name again and the domain, RequestInfo: the decision ID, for whoever
 * can look it up. In base64 without padding (gRPC over HTTP/2, "Binary-Header").
 */
export function grpcDetails({ code, message, decisionId }: GrpcError): string {
  const errorInfo = [text(1, codeNames[code] ?? 'UNKNOWN'), text(2, domain)];
  const status = [
    Buffer.from([(1 << 3) | 0, code]), // below 128: a varint of one byte
    text(2, message),
    detail('google.rpc.ErrorInfo', errorInfo),
    detail('google.rpc.RequestInfo', [text(1, decisionId)]),
  ];
  return Buffer.concat(status).toString('base64').replace(/=+$/, '');
}

/** `details`, a google.protobuf.Any. */
function detail(type: string, fields: readonly Buffer[]): Buffer {
  const any = [text(1, `type.googleapis.com/${type}`), bytes(2, Buffer.concat(fields))];
  return bytes(3, Buffer.concat(any));
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value, 'utf8'));
}

/** A field of protobuf's wire type 2. */
function bytes(field: number, value: Buffer): Buffer {
  const head = [(field << 3) | 2];
  let length = value.length;
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, length]), value]);
}
