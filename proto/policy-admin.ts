import { ok, refuse, type Result } from '#runtime/result.ts';
import type { CallOptions, Channel } from './channel.ts';
import { readable } from './garbled.ts';
import type { PolicyRef } from './messages.ts';
import * as messages from './policy-messages.ts';
import type { Refusal } from './refusal.ts';
import type { UnaryHandler } from './server.ts';

const service = '/eastwest.mesh.v1.Admin';
const paths = {
  apply: `${service}/ApplyPolicies`,
  check: `${service}/CheckPolicies`,
  list: `${service}/ListPolicies`,
  delete: `${service}/DeletePolicy`,
  status: `${service}/PolicyStatus`,
} as const;

type Answer<T> = Promise<Result<T, Refusal>>;

/** The operator's side of the mesh's policies. */
export interface PolicyClient {
  /** All or nothing. */
  apply(files: readonly messages.PolicyFile[], options: CallOptions): Answer<messages.ApplyPoliciesResponse>;
  /** What `apply` would do, with the texts of what it would change. */
  check(files: readonly messages.PolicyFile[], options: CallOptions): Answer<messages.ApplyPoliciesResponse>;
  list(options: CallOptions): Answer<messages.ListPoliciesResponse>;
  delete(ref: PolicyRef, options: CallOptions): Answer<messages.DeletePolicyResponse>;
  status(options: CallOptions): Answer<messages.PolicyStatusResponse>;
}

export function createPolicyClient(channel: Channel): PolicyClient {
  async function ask<T>(
    path: string,
    bytes: Buffer,
    { parse, ...options }: CallOptions & { parse: (bytes: Buffer) => Result<T, string> },
  ): Answer<T> {
    const reply = await channel.unary(path, bytes, options);
    return reply.ok ? ok(readable(parse(reply.value))) : reply;
  }
  const parseApplied = messages.parseApplyPoliciesResponse;
  return {
    apply: (files, options) =>
      ask(paths.apply, messages.encodeApplyPoliciesRequest(files), { ...options, parse: parseApplied }),
    check: (files, options) =>
      ask(paths.check, messages.encodeApplyPoliciesRequest(files), { ...options, parse: parseApplied }),
    list: (options) =>
      ask(paths.list, messages.encodeListPoliciesRequest(), { ...options, parse: messages.parseListPoliciesResponse }),
    delete: (ref, options) =>
      ask(paths.delete, messages.encodeDeletePolicyRequest(ref), {
        ...options,
        parse: messages.parseDeletePolicyResponse,
      }),
    status: (options) =>
      ask(paths.status, messages.encodePolicyStatusRequest(), {
        ...options,
        parse: messages.parsePolicyStatusResponse,
      }),
  };
}

export interface PolicyHandlers {
  apply(files: readonly messages.PolicyFile[]): Promise<messages.ApplyPoliciesResponse>;
  check(files: readonly messages.PolicyFile[]): Promise<messages.ApplyPoliciesResponse>;
  list(): messages.ListPoliciesResponse;
  delete(ref: PolicyRef): Promise<messages.DeletePolicyResponse>;
  status(): messages.PolicyStatusResponse;
}

/** The methods of the Admin service that are about policies. */
export function policyMethods(handlers: PolicyHandlers): Readonly<Record<string, UnaryHandler>> {
  const applying = (take: PolicyHandlers['apply']): UnaryHandler => {
    return async (bytes) => {
      const files = messages.parseApplyPoliciesRequest(bytes);
      if (!files.ok) return refuse({ code: 'invalid-argument', reason: files.reason });
      return ok(messages.encodeApplyPoliciesResponse(await take(files.value)));
    };
  };
  return {
    [paths.apply]: applying((files) => handlers.apply(files)),
    [paths.check]: applying((files) => handlers.check(files)),
    [paths.list]: () => Promise.resolve(ok(messages.encodeListPoliciesResponse(handlers.list()))),
    async [paths.delete](bytes) {
      const ref = messages.parseDeletePolicyRequest(bytes);
      if (!ref.ok) return refuse({ code: 'invalid-argument', reason: ref.reason });
      return ok(messages.encodeDeletePolicyResponse(await handlers.delete(ref.value)));
    },
    [paths.status]: () => Promise.resolve(ok(messages.encodePolicyStatusResponse(handlers.status()))),
  };
}
