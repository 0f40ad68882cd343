import type { Address } from '#agent/config-types.ts';
import { createIssuer, issueSvid } from '#certs/issue-svid.ts';
import { exportSpki, generateSerial } from '#certs/keys.ts';
import { certificatesToPem } from '#certs/pem.ts';
import { workloadSpiffeId } from '#certs/spiffe-id.ts';
import { startReadyAgent, type AgentProcess } from './agent-process.ts';
import { startHttpApp, startTcpApp, type HttpApp, type TcpApp } from './apps.ts';
import { createIdentityFolder } from './identity-folder.ts';
import { createPemFolder, type PemFolder } from './programs.ts';
import { createTestCa, keyToPem, makeKeys, type TestAuthority, type TestCertificate } from './test-ca.ts';

/** A real agent of `prices` on files alone, in front of an HTTP app and a TCP app, which says once what it heard; only `cart` may call. */
export interface ServingAgentProcess extends AsyncDisposable {
  readonly agent: AgentProcess;
  readonly ca: TestAuthority;
  /** The tunnel port, which speaks plain mTLS as well: ALPN `http/1.1` is HTTP, none is the TCP app. */
  readonly inbound: Address;
  readonly url: string;
  readonly http: HttpApp;
  readonly tcp: TcpApp;
  readonly pem: PemFolder;
}

const httpPort = 7002;
const tcpPort = 7003;

export async function startServingAgentProcess(): Promise<ServingAgentProcess> {
  await using stack = new AsyncDisposableStack();
  const ca = createTestCa({ nowMs: Date.now() });
  const folder = stack.use(createIdentityFolder());
  folder.write(await issueAsControlPlane(ca.intermediate(), 'prices'), [ca]);
  const pem = stack.use(createPemFolder());
  const http = stack.use(await startHttpApp());
  const tcp = stack.use(await startTcpApp((socket) => void socket.once('data', (said) => socket.end(said))));
  const allow = ['spiffe://shop.example/ns/default/sa/cart'];
  const agent = stack.use(
    await startReadyAgent({
      workload: 'prices',
      trustDomain: 'shop.example',
      identity: { files: { dir: folder.path } },
      inbound: {
        listen: '127.0.0.1:0',
        ports: [
          { port: httpPort, app: http.at, allow },
          { port: tcpPort, app: tcp.at, protocol: 'tcp', allow },
        ],
      },
    }),
  );
  const inbound = await agent.address('inbound');
  const all = stack.move();
  const url = `https://127.0.0.1:${inbound.port}`;
  return { agent, ca, inbound, url, http, tcp, pem, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** A leaf as our own control plane would issue it, not as the test CA does. */
async function issueAsControlPlane(authority: TestAuthority, workload: string): Promise<TestCertificate> {
  const spiffeId = workloadSpiffeId(authority.trustDomain, 'default', workload);
  if (!spiffeId.ok) throw new Error(spiffeId.reason);
  const keys = makeKeys();
  const order = {
    spkiDer: exportSpki(keys.publicKey),
    issuedAtMs: Date.now(),
    lifeMs: 600_000,
    serial: generateSerial(),
  };
  const issuer = createIssuer(authority.der, authority.keys.privateKey);
  const der = await issueSvid({ ...order, spiffeId: spiffeId.value }, issuer);
  const chainDer = [der, ...authority.chainDer];
  return { der, keys, chainDer, chainPem: certificatesToPem(chainDer), keyPem: keyToPem(keys.privateKey) };
}
