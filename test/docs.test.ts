import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAgentConfig } from '#agent/config.ts';
import { parseMeshFile } from '#cli/up/mesh-file.ts';
import { readRegistrations } from '#control-plane/registry/documents.ts';
import { clientDocument, serviceDocument } from '#control-plane/registry/schema-documents.ts';
import { settingsOf } from '#support/reference.ts';
import { filesIn } from '#support/readme.ts';

const documents = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md']).toSorted();
const records = globSync('docs/adr/*.md').toSorted();

test.each(documents)('%s links only to files that are there', (document) => {
  const links = [...readFileSync(document, 'utf8').matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)];
  const missing = links.map((link) => link[1] ?? '').filter((to) => !existsSync(join(dirname(document), to)));
  expect(missing).toEqual([]);
});

describe('decision records', () => {
  test('are there, numbered without gaps', () => {
    expect(records.length).toBeGreaterThan(0);
    const numbers = records.map((record) => Number(/\/(\d{4})-[a-z0-9-]+\.md$/.exec(record)?.[1]));
    expect(numbers).toEqual(records.map((_, index) => index + 1));
  });

  test.each(records)('%s fits on one screen and has the four parts in order', (record) => {
    const text = readFileSync(record, 'utf8');
    expect([...text.matchAll(/^## (.+)$/gm)].map((part) => part[1])).toEqual([
      'Context',
      'Decision',
      'Rejected',
      'Consequences',
    ]);
    expect(text.split('\n').length).toBeLessThanOrEqual(60);
  });
});

test('every package that we ship has its row in the record of dependencies', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
  const record = readFileSync('docs/adr/0003-dependencies.md', 'utf8');
  const missing = Object.keys(dependencies).filter((name) => !record.includes(`\n| ${name} `));
  expect(missing).toEqual([]);
});

const shownFiles = Object.entries(filesIn('README.md')).filter(([name]) => name.endsWith('.yaml'));

test.each(shownFiles)('%s of the README is read without a problem', (name, text) => {
  const read = name === 'mesh.yaml' ? parseMeshFile(text) : parseAgentConfig(text);
  expect(read).toMatchObject({ ok: true });
});

describe.each(['docs/gateway.md', 'docs/data-path.md'])('%s', (document) => {
  test.each(Object.entries(filesIn(document)))('%s of it is read without a problem', (_name, text) => {
    expect(parseAgentConfig(text)).toMatchObject({ ok: true });
  });
});

test('the registrations of docs/sts.md are read without a problem, and its tables have every field', () => {
  const [[name, text] = ['', '']] = Object.entries(filesIn('docs/sts.md'));
  expect(readRegistrations(text, name)).toMatchObject({ ok: true, value: [{}, {}, {}] });
  const documented = readFileSync('docs/sts.md', 'utf8');
  const fields = [clientDocument, serviceDocument]
    .flatMap((document) => settingsOf(document).map(([path]) => path))
    .filter((path) => /^(spec|metadata)\.\w+$/.test(path))
    .map((path) => path.replace('spec.', ''));
  expect(fields.length).toBeGreaterThan(15);
  expect(fields.filter((field) => !documented.includes(`\`${field}\``))).toEqual([]);
});

test('the README shows a mesh file and an agent of each kind', () => {
  expect(shownFiles.map(([name]) => name)).toEqual(['mesh.yaml', 'greeter.yaml', 'asker.yaml', 'agent.yaml']);
});
