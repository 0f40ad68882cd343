import { join } from 'node:path';
import type { Launch, Place, Protocol, Subject, Workload } from './subject.ts';

/** Where an agent gets its identity from: `identity` in `agent.yaml`. */
export type IdentityConfig =
  | { readonly files: { readonly dir: string } }
  | {
      readonly controlPlane: {
        readonly address: string;
        readonly trustBundle: string;
        readonly joinToken: { readonly file: string };
      };
    };

type IdentityOf = (place: Place, workload: Workload) => IdentityConfig;

export const launcher = join(import.meta.dirname, '..', '..', 'bin', 'eastwest.js');
const inboundPort = 7002;

/** Eastwest on certificate files, without a control plane: as its peers. */
export const eastwest: Subject = createEastwest(({ certificatesOf }, workload) => ({
  files: { dir: certificatesOf(workload) },
}));

/** Eastwest with identities from elsewhere. */
export function createEastwest(identityOf: IdentityOf): Subject {
  return {
    name: 'eastwest',
    program: 'node',
    versionWords: [launcher, '--version'],
    effort: 'always',
    duties: 'checked',
    lacks: () => undefined,
    egress: (place) => launch(place, { ...common(place, 'cart', identityOf), outbound: outbound(place) }),
    ingress: (place) => launch(place, { ...common(place, 'prices', identityOf), inbound: inbound(place) }),
  };
}

function common(place: Place, workload: Workload, identityOf: IdentityOf) {
  return {
    workload,
    trustDomain: place.trustDomain,
    identity: identityOf(place, workload),
    admin: { listen: '127.0.0.1:0', socket: join(place.dir, 'agent.sock') },
    drain: '1s',
  };
}

function outbound({ egressPort, ingressPort, protocol, spiffeIdOf }: Place) {
  const upstream = {
    ...declared(protocol),
    workload: 'prices',
    port: inboundPort,
    listen: `127.0.0.1:${egressPort}`,
    spiffeId: spiffeIdOf('prices'),
    endpoints: [`127.0.0.1:${ingressPort}`],
  };
  return { upstreams: [upstream] };
}

function inbound({ ingressPort, appPort, protocol, spiffeIdOf }: Place) {
  const port = {
    ...declared(protocol),
    port: inboundPort,
    app: `127.0.0.1:${appPort}`,
    allow: [spiffeIdOf('cart')],
  };
  return { listen: `127.0.0.1:${ingressPort}`, ports: [port] };
}

/** HTTP/1.1 is left to the agent to find out, as most users will. */
function declared(protocol: Protocol): { readonly protocol?: Protocol } {
  return protocol === 'http' ? {} : { protocol };
}

function launch({ dir }: Place, config: object): Launch {
  return {
    dir,
    files: { 'agent.yaml': JSON.stringify(config, undefined, 2) }, // JSON is YAML too
    words: [launcher, 'agent', '--config', join(dir, 'agent.yaml')],
    ready: { kind: 'logged', text: '"event":"agent.ready"' },
  };
}
