import { ok, refuse, type Result } from '#runtime/result.ts';
import type { CallOptions, Channel } from './channel.ts';
import { readable } from './garbled.ts';
import type { Refusal } from './refusal.ts';
import { registryMethods as methods, type AdminMethod, type RequestOf, type ResponseOf } from './registry-messages.ts';
import type { UnaryHandler } from './server.ts';

type Name = keyof typeof methods;
type Answer<T> = Promise<Result<T, Refusal>>;

/** The operator's side of registrations, operators and the audit log. */
export type RegistryClient = {
  readonly [N in Name]: (request: RequestOf<N>, options: CallOptions) => Answer<ResponseOf<N>>;
};

export type RegistryHandlers = {
  readonly [N in Name]: (request: RequestOf<N>) => Answer<ResponseOf<N>>;
};

export function createRegistryClient(channel: Channel): RegistryClient {
  const asking =
    <Q, A>(method: AdminMethod<Q, A>) =>
    async (request: Q, options: CallOptions): Answer<A> => {
      const reply = await channel.unary(method.path, method.encodeRequest(request), options);
      return reply.ok ? ok(readable(method.parseResponse(reply.value))) : reply;
    };
  return {
    register: asking(methods.register),
    list: asking(methods.list),
    change: asking(methods.change),
    rotateSecret: asking(methods.rotateSecret),
    addOperator: asking(methods.addOperator),
    listOperators: asking(methods.listOperators),
    removeOperator: asking(methods.removeOperator),
    audit: asking(methods.audit),
    signingKeys: asking(methods.signingKeys),
    revokeSigningKey: asking(methods.revokeSigningKey),
  };
}

/** The methods of the Admin service that are about who may ask for tokens. */
export function registryUnary(handlers: RegistryHandlers): Readonly<Record<string, UnaryHandler>> {
  return {
    [methods.register.path]: answering(methods.register, (request) => handlers.register(request)),
    [methods.list.path]: answering(methods.list, (request) => handlers.list(request)),
    [methods.change.path]: answering(methods.change, (request) => handlers.change(request)),
    [methods.rotateSecret.path]: answering(methods.rotateSecret, (request) => handlers.rotateSecret(request)),
    [methods.addOperator.path]: answering(methods.addOperator, (request) => handlers.addOperator(request)),
    [methods.listOperators.path]: answering(methods.listOperators, (request) => handlers.listOperators(request)),
    [methods.removeOperator.path]: answering(methods.removeOperator, (request) => handlers.removeOperator(request)),
    [methods.audit.path]: answering(methods.audit, (request) => handlers.audit(request)),
    [methods.signingKeys.path]: answering(methods.signingKeys, (request) => handlers.signingKeys(request)),
    [methods.revokeSigningKey.path]: answering(methods.revokeSigningKey, (request) =>
      handlers.revokeSigningKey(request),
    ),
  };
}

function answering<Q, A>(method: AdminMethod<Q, A>, handle: (request: Q) => Answer<A>): UnaryHandler {
  return async (bytes) => {
    const request = method.parseRequest(bytes);
    if (!request.ok) return refuse({ code: 'invalid-argument', reason: request.reason });
    const answer = await handle(request.value);
    return answer.ok ? ok(method.encodeResponse(answer.value)) : answer;
  };
}
