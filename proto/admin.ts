import { chmod, rm } from 'node:fs/promises';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import * as messages from './admin-messages.ts';
import { openUnixChannel, type CallOptions } from './channel.ts';
import { readable } from './garbled.ts';
import { createPolicyClient, policyMethods, type PolicyClient, type PolicyHandlers } from './policy-admin.ts';
import type { Refusal } from './refusal.ts';
import { createRegistryClient, registryUnary, type RegistryClient, type RegistryHandlers } from './registry-admin.ts';
import { startServer } from './server.ts';

const createJoinTokenPath = '/eastwest.mesh.v1.Admin/CreateJoinToken';
const statusPath = '/eastwest.mesh.v1.Admin/Status';

export interface AdminClient {
  createJoinToken(
    request: messages.CreateJoinTokenRequest,
    options: CallOptions,
  ): Promise<Result<messages.CreateJoinTokenResponse, Refusal>>;
  status(options: CallOptions): Promise<Result<messages.StatusResponse, Refusal>>;
  readonly policies: PolicyClient;
  readonly registry: RegistryClient;
  close(): void;
}

/** For the operator's command line, over the control plane's Unix socket. */
export function createAdminClient({ socketPath, clock }: { socketPath: string; clock: Clock }): AdminClient {
  const channel = openUnixChannel(socketPath, clock);
  return {
    async createJoinToken(request, options) {
      const bytes = messages.encodeCreateJoinTokenRequest(request);
      const reply = await channel.unary(createJoinTokenPath, bytes, options);
      return reply.ok ? ok(readable(messages.parseCreateJoinTokenResponse(reply.value))) : reply;
    },
    async status(options) {
      const reply = await channel.unary(statusPath, messages.encodeStatusRequest(), options);
      return reply.ok ? ok(readable(messages.parseStatusResponse(reply.value))) : reply;
    },
    policies: createPolicyClient(channel),
    registry: createRegistryClient(channel),
    close: () => channel.close(),
  };
}

export interface AdminHandlers {
  createJoinToken(request: messages.CreateJoinTokenRequest): Promise<Result<messages.CreateJoinTokenResponse, Refusal>>;
  status(): Promise<messages.StatusResponse>;
  readonly policies: PolicyHandlers;
  readonly registry: RegistryHandlers;
}

export interface ServeAdminOptions {
  /** In a 0700 directory; a socket that a killed predecessor left behind is replaced. */
  readonly socketPath: string;
  readonly handlers: AdminHandlers;
  onFault(error: unknown): void;
  readonly clock: Clock;
}

export interface AdminServer {
  close(graceMs: number): Promise<void>;
}

/** Serves the Admin service on a Unix socket with mode 0600: whoever may open it may do all that asks for no operator. */
export async function serveAdmin({ socketPath, handlers, onFault, clock }: ServeAdminOptions): Promise<AdminServer> {
  await rm(socketPath, { force: true });
  const server = await startServer({ path: socketPath }, undefined, {
    unary: {
      async [createJoinTokenPath](bytes) {
        const request = messages.parseCreateJoinTokenRequest(bytes);
        if (!request.ok) return refuse({ code: 'invalid-argument', reason: request.reason });
        const response = await handlers.createJoinToken(request.value);
        return response.ok ? ok(messages.encodeCreateJoinTokenResponse(response.value)) : response;
      },
      [statusPath]: async () => ok(messages.encodeStatusResponse(await handlers.status())),
      ...policyMethods(handlers.policies),
      ...registryUnary(handlers.registry),
    },
    duplex: {},
    onFault,
    clock,
  });
  await chmod(socketPath, 0o600);
  return { close: (graceMs) => server.close(graceMs) };
}
