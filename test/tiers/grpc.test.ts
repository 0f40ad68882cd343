import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '#support/agent-process.ts';
import { interopCases, nodeCases } from '#support/interop/interop-cases.ts';
import { InteropClient } from '#support/interop/interop-client.ts';
import { startInteropServer, type InteropServer } from '#support/interop/interop-server.ts';
import {
  askAsPython,
  lacksPythonGrpc,
  runPythonCases,
  startPythonServer,
  type ToldRefusal,
} from '#support/interop/python-interop.ts';
import { ourDetails, readStatusDetails } from '#support/interop/status-details.ts';
import { startProcessPair, spiffeIdOf, type ProcessPair } from '#support/process-pair.ts';

/** Ports of prices: its two servers, one that cart may not call, one without an app, and one of a peer that is away. */
const ports = { python: 7001, node: 7002, denied: 7003, noApp: 7004, noPeer: 7005 } as const;

describe.skipIf(lacksPythonGrpc('gRPC interoperability with grpcio'))('gRPC through both agents', () => {
  const stack = new AsyncDisposableStack();
  let python: InteropServer;
  let node: InteropServer;
  let pair: ProcessPair;
  let client: InteropClient;
  let byPython: Readonly<Record<string, string | null>>;

  beforeAll(async () => {
    python = stack.use(await startPythonServer());
    node = stack.use(await startInteropServer());
    const away = await freePort();
    const http2 = { protocol: 'http2' } as const;
    pair = stack.use(
      await startProcessPair({
        ports: [
          { port: ports.python, app: python.port, ...http2 },
          { port: ports.node, app: node.port, protocol: 'auto' },
          { port: ports.denied, app: node.port, ...http2, allow: ['orders'] },
          { port: ports.noApp, app: away, ...http2 },
        ],
        upstreams: [
          {
            ...{ workload: 'prices', port: ports.noPeer, ...http2, listen: '127.0.0.1:0', connectTimeout: '1s' },
            ...{ spiffeId: spiffeIdOf('prices'), endpoints: [`127.0.0.1:${away}`] },
          },
        ],
      }),
    );
    client = stack.use(new InteropClient(await pair.upstreamPort(ports.python)));
    byPython = await runPythonCases(await pair.upstreamPort(ports.node), interopCases);
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  describe('interoperability cases, grpc-js → grpcio', () => {
    test.each(interopCases)('%s', async (name) => {
      await expect(nodeCases[name](client)).resolves.toBeUndefined();
    });
    test('the server heard of calls that were cancelled or timed out after their first message', async () => {
      const calls = ['FullDuplexCall', 'FullDuplexCall'];
      await expect.poll(() => python.cancelled, { timeout: 5_000 }).toEqual(expect.arrayContaining(calls));
    });
  });

  describe('interoperability cases, grpcio → grpc-js', () => {
    test.each(interopCases)('%s', (name) => {
      expect(byPython[name]).toBe(null);
    });
    test('the server heard of calls that were cancelled or timed out after their first message', async () => {
      const calls = ['FullDuplexCall', 'FullDuplexCall'];
      await expect.poll(() => node.cancelled, { timeout: 5_000 }).toEqual(expect.arrayContaining(calls));
    });
  });

  describe.each(['grpc-js', 'grpcio'] as const)('what %s is told', (who) => {
    async function ask(port: number): Promise<ToldRefusal> {
      const at = await pair.upstreamPort(port);
      if (who === 'grpcio') return askAsPython(at);
      using other = new InteropClient(at);
      const told = await other.unary('/grpc.testing.TestService/EmptyCall', {});
      const decision = [...told.initial.get('x-eastwest-decision'), ...told.trailing.get('x-eastwest-decision')][0];
      const [details] = told.trailing.get('grpc-status-details-bin');
      return {
        ...{ code: told.code, message: told.details, decision: decision === undefined ? null : String(decision) },
        details: details === undefined ? null : readStatusDetails(details as Buffer),
      };
    }

    test('when cart may not call: PERMISSION_DENIED, with the decision’s name', async () => {
      const { code, message, decision, details } = await ask(ports.denied);
      expect(code).toBe(status.PERMISSION_DENIED);
      expect(details).toEqual({ code, message, details: ourDetails('PERMISSION_DENIED', decision ?? '') });
      expect(decision).toMatch(/^\S{8,}$/);
      await pair.prices.event('inbound.denied', (denied) => denied.decisionId === decision);
    });

    test.each(['noApp', 'noPeer'] as const)('when nobody is there (%s): UNAVAILABLE', async (port) => {
      const { code, message, decision, details } = await ask(ports[port]);
      expect(code).toBe(status.UNAVAILABLE);
      expect(message).not.toBe('');
      expect(details).toEqual({ code, message, details: ourDetails('UNAVAILABLE', decision ?? '') });
    });
  });
});
