import { ok, refuse, type Result } from '#runtime/result.ts';
import type { MessageProblem } from './messages.ts';
import * as tables from './tables.ts';
import { decode, encode, type Decoded, type Encodable, type MessageTable } from './wire.ts';

export const registryActions = ['approve', 'reject', 'disable', 'enable', 'delete'] as const;
export type RegistryAction = (typeof registryActions)[number];

const maxCredentialLength = 200;
const maxNameLength = 2_048;
const maxRoles = 16;

type Parsed<T> = Result<T, MessageProblem>;

/** One method of the Admin service: its path and the reading and writing of its two messages. */
export interface AdminMethod<Q, A> {
  readonly path: string;
  encodeRequest(request: Q): Buffer;
  parseRequest(bytes: Uint8Array): Parsed<Q>;
  encodeResponse(response: A): Buffer;
  parseResponse(bytes: Uint8Array): Parsed<A>;
}

interface Tables<Q extends MessageTable, A extends MessageTable> {
  readonly request: Q;
  readonly response: A;
}

/** `check`: what of a request must hold before anybody looks at it. */
function method<Q extends MessageTable, A extends MessageTable>(
  name: string,
  { request, response }: Tables<Q, A>,
  check: (request: Decoded<Q>) => MessageProblem | undefined,
): AdminMethod<Decoded<Q>, Decoded<A>> {
  return {
    path: `/eastwest.mesh.v1.Admin/${name}`,
    encodeRequest: (asked) => encode(request, asked as Encodable<Q>),
    parseRequest(bytes) {
      const decoded = decode(request, bytes);
      if (!decoded.ok) return decoded;
      const problem = check(decoded.value);
      return problem === undefined ? ok(decoded.value) : refuse(problem);
    },
    encodeResponse: (answer) => encode(response, answer as Encodable<A>),
    parseResponse: (bytes) => decode(response, bytes),
  };
}

interface Named {
  readonly credential: string;
  readonly name?: string;
  readonly id?: string;
}

function namesOf({ credential, name = '', id = '' }: Named): MessageProblem | undefined {
  const isLong = credential.length > maxCredentialLength || name.length > maxNameLength || id.length > maxNameLength;
  return isLong ? 'text-too-long' : undefined;
}

/** Registrations, operators, the audit log and signing keys; the comments of mesh.proto say what the fields mean. */
export const registryMethods = {
  register: method('Register', { request: tables.registerRequest, response: tables.registerResponse }, namesOf),
  list: method(
    'ListRegistrations',
    { request: tables.listRegistrationsRequest, response: tables.listRegistrationsResponse },
    namesOf,
  ),
  change: method(
    'ChangeRegistration',
    { request: tables.changeRegistrationRequest, response: tables.changeRegistrationResponse },
    (request) => namesOf(request) ?? (toAction(request.action) === undefined ? 'unknown-kind' : undefined),
  ),
  rotateSecret: method(
    'RotateSecret',
    { request: tables.rotateSecretRequest, response: tables.rotateSecretResponse },
    (request) => namesOf(request) ?? (request.overlapMs < 0 ? 'bad-time' : undefined),
  ),
  addOperator: method(
    'AddOperator',
    { request: tables.addOperatorRequest, response: tables.addOperatorResponse },
    (request) => namesOf(request) ?? (request.roles.length > maxRoles ? 'too-many-items' : undefined),
  ),
  listOperators: method(
    'ListOperators',
    { request: tables.listOperatorsRequest, response: tables.listOperatorsResponse },
    namesOf,
  ),
  removeOperator: method(
    'RemoveOperator',
    { request: tables.removeOperatorRequest, response: tables.removeOperatorResponse },
    namesOf,
  ),
  audit: method('ListAudit', { request: tables.listAuditRequest, response: tables.listAuditResponse }, namesOf),
  signingKeys: method(
    'ListSigningKeys',
    { request: tables.listSigningKeysRequest, response: tables.listSigningKeysResponse },
    namesOf,
  ),
  revokeSigningKey: method(
    'RevokeSigningKey',
    { request: tables.revokeSigningKeyRequest, response: tables.revokeSigningKeyResponse },
    ({ credential, kid }) => namesOf({ credential, id: kid }),
  ),
} as const;

type Methods = typeof registryMethods;
export type RequestOf<N extends keyof Methods> = Methods[N] extends AdminMethod<infer Q, infer _A> ? Q : never;
export type ResponseOf<N extends keyof Methods> = Methods[N] extends AdminMethod<infer _Q, infer A> ? A : never;

export function toAction(action: string): RegistryAction | undefined {
  return registryActions.find((known) => known === action);
}
