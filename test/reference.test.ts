import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { accessLine } from '#agent/access-log/access-line.ts';
import { renderMetrics } from '#agent/admin/exposition.ts';
import { createCounters } from '#agent/admin/metrics.ts';
import { agentDocument, parseAgentConfig } from '#agent/config.ts';
import { agentEventLevels } from '#agent/events.ts';
import { parseMeshFile } from '#cli/up/mesh-file.ts';
import { meshDocument } from '#cli/up/mesh-schema.ts';
import { controlPlaneDocument, parseControlPlaneConfig } from '#control-plane/config.ts';
import { controlPlaneLevels } from '#control-plane/events.ts';
import type { Result } from '#runtime/result.ts';
import { checkout } from '#support/fresh-folder.ts';
import { eventFields, settingsOf, tableBelow } from '#support/reference.ts';

const reference = readFileSync(join(checkout, 'docs', 'reference.md'), 'utf8');

describe.each([
  ['## agent.yaml', agentDocument],
  ['## control-plane.yaml', controlPlaneDocument],
  ['## mesh.yaml', meshDocument],
])('the table below %s', (heading, document) => {
  const rows = new Map(tableBelow(reference, heading).map(([setting = '', value = '']) => [setting, value]));

  test('lists every setting there is, in order, and no other', () => {
    const paths = settingsOf(document).map(([path]) => path);
    expect([...rows.keys()]).toEqual(paths);
  });

  test('says of each whether it is required, and its default', () => {
    for (const [path, value] of settingsOf(document)) {
      const told = rows.get(path);
      if (value !== '') expect(told, path).toBe(value);
      else expect(told, path).not.toBe('required');
    }
  });
});

describe('a default of the table is what happens when the setting is left out', () => {
  const agent = {
    workload: 'prices',
    trustDomain: 'shop.example',
    identity: { files: { dir: '/certs' } },
    inbound: { listen: '127.0.0.1:0', ports: [{ port: 1, token: {} }] },
    outbound: {
      upstreams: [{ workload: 'a', listen: '127.0.0.1:0', port: 1, token: { mode: 'none' }, ...staticPeer() }],
    },
    gateway: { http: { listen: '127.0.0.1:0' }, routes: [{ host: 'a.example', workload: 'a', port: 1 }] },
    tokenIssuers: [{ name: 'login', issuer: 'https://login.example', jwks: { file: '/jwks.json' } }],
    admin: {},
    accessLog: {},
  };
  const mesh = {
    name: 'shop',
    workloads: [{ name: 'prices', run: ['node'], listens: [{ port: 7002 }] }],
    traffic: [{ url: 'http://127.0.0.1:7002/', perSecond: 1 }],
  };
  const limits = { issuePerIdentity: undefined, failedAttestationsPerAddress: undefined };
  const tokens = { issuer: 'https://sts.example' };
  const controlPlane = { trustDomain: 'shop.example', tokens, limits };

  test.each<[string, object, (text: string) => Result<unknown, unknown>, readonly string[]]>([
    ['## agent.yaml', agent, parseAgentConfig, ['drain', 'whenExpired', 'log', 'outbound.unknown']],
    ['## mesh.yaml', mesh, parseMeshFile, ['svidLife', 'traffic[].deadline', 'workloads[].capture']],
    ['## control-plane.yaml', controlPlane, (text) => parseControlPlaneConfig(text), ['listen', 'svidLife', 'log']],
  ])('%s', (heading, document, parse, some) => {
    const defaults = tableBelow(reference, heading).filter(([, value]) => value !== '' && value !== 'required');
    expect(defaults.map(([path]) => path)).toEqual(expect.arrayContaining([...some]));
    const written = structuredClone(document);
    for (const [path = '', value = ''] of defaults) writeSetting(written, path, value);
    const [without, withAll] = [parse(JSON.stringify(document)), parse(JSON.stringify(written))];
    expect(without).toMatchObject({ ok: true });
    expect(withAll).toEqual(without);
  });
});

test.each([
  ['## Events of an agent', 'agent/events.ts', 'AgentEvent', agentEventLevels],
  ['## Events of the control plane', 'control-plane/events.ts', 'ControlPlaneEvent', controlPlaneLevels],
])('the table below %s is the list of %s, with levels and fields', (heading, file, typeName, levels) => {
  const fields = eventFields(readFileSync(join(checkout, file), 'utf8'), typeName);
  const expected = Object.entries(levels).map(([event, level]) => [event, level, fields.get(event)?.join(', ')]);
  expect(tableBelow(reference, heading).map((row) => row.slice(0, 3))).toEqual(expected);
});

test('the table of up’s events is the list of cli/up/events.ts, with fields', () => {
  const fields = eventFields(readFileSync(join(checkout, 'cli/up/events.ts'), 'utf8'), 'UpEvent');
  const expected = [...fields].map(([event, names]) => [event, names.join(', ')]);
  expect(tableBelow(reference, '## Events of `eastwest up --json`').map((row) => row.slice(0, 2))).toEqual(expected);
});

test('the table of the access log has the fields of a line, in their order', () => {
  const text = {
    peer: 'a',
    client: 'b',
    destination: 'c',
    method: 'GET',
    path: '/',
    decisionId: 'd',
    traceId: 'e',
    reason: 'f',
  };
  const numbers = { status: 200, grpcStatus: 0, durationMs: 1, requestBytes: 0, responseBytes: 0 };
  const line = accessLine(
    { ...text, ...numbers, direction: 'inbound', protocol: 'HTTP/2', outcome: 'ok' },
    { workload: 'prices', spiffeId: 'spiffe://a/b' },
    0,
  );
  const fields = tableBelow(reference, '## Lines of the access log').map(([field]) => field);
  expect(fields).toEqual(Object.keys(JSON.parse(line) as object));
});

test('the table of metrics is what an agent exposes, with its own words', async () => {
  const { text } = await renderMetrics({
    workload: 'prices',
    identity: undefined,
    source: { controlPlane: 'none', rotations: 0, joinTokenUses: 0, skewMs: 0 },
    readiness: { ready: true, blockers: [], warnings: [] },
    counters: createCounters(),
    workers: [],
    tokens: undefined,
  });
  const exposed = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(([, ...row]) => row);
  expect(exposed.length).toBeGreaterThan(15);
  expect(tableBelow(reference, '## Metrics of an agent')).toEqual(
    exposed.map(([name, help, type]) => [name, type, help]),
  );
});

function staticPeer() {
  return { spiffeId: 'spiffe://shop.example/ns/default/sa/a', endpoints: ['127.0.0.1:1'] };
}

/** Writes `value` at `inbound.ports[].allow` into the first item of each list on the way; makes what is missing. */
function writeSetting(document: object, path: string, value: string): void {
  const parts = path.replaceAll('[]', '.0').split('.');
  let at = document as Record<string, unknown>;
  for (const part of parts.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
  const isJson = /^([\d.]+|\[.*\]|\{.*\}|true|false)$/.test(value);
  at[parts.at(-1) ?? ''] ??= isJson ? JSON.parse(value) : value;
}
