import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { accessLogText } from '#support/access-lines.ts';
import { eastwest } from '#support/command-line.ts';
import { freshFolder, type FreshFolder } from '#support/fresh-folder.ts';

let folder: FreshFolder;
beforeEach(() => {
  folder = freshFolder();
  return () => folder[Symbol.asyncDispose]();
});

const write = (name: string, text: string) => writeFileSync(join(folder.path, name), text);
const lint = (line: string) => eastwest(`policy lint ${line}`.trim(), folder.path);
const scopes = (scope: string): string => `apiVersion: eastwest.dev/v1
kind: ScopeTemplates
metadata: { name: scopes, namespace: shop }
spec: { scopes: [{ scope: ${scope}, method: DELETE, path: '/api/v1/groups/{group}/documents/{document}/' }] }
`;

test('S86: templates whose names do not follow from verb and path are told, with what to write (A58)', async () => {
  write('good.yaml', scopes('groups.documents.delete'));
  write('bad.yaml', scopes('groups.documentsX.delete'));
  expect(await lint('good.yaml')).toEqual({
    code: 0,
    stdout: '0 problems, 0 requests without a template\n',
    stderr: '',
  });
  expect(await lint('bad.yaml')).toEqual({
    code: 1,
    stdout:
      'shop/scopes spec.scopes[0]: groups.documentsX.delete does not follow from DELETE /api/v1/groups/{*}/documents/{*}/: write groups.documents.delete\n' +
      '1 problem, 0 requests without a template\n',
    stderr: '',
  });
});

test('S86: requests of access logs that no template describes are told, opaque ones as such', async () => {
  write('scopes.yaml', scopes('groups.documents.delete'));
  const deleted = { method: 'DELETE', path: '/api/v1/groups/1/documents/2/' };
  const opaque = Array.from({ length: 100 }, () => ({ path: '/object' })); // ?objectId=7 is not in a log
  const refused = { path: '/refused', outcome: 'denied', reason: 'no-rule-matches' };
  write('a.log', `not a line\n${accessLogText(deleted, { path: '/other' }, refused, ...opaque)}`);
  expect(await lint('scopes.yaml --access-log a.log')).toMatchObject({
    code: 1,
    stdout: [
      'Requests that no scope template describes, and how many there were:',
      '  shop/prices  GET  /object  100  one path, many calls: what it is about (a query?) no scope can say',
      '  shop/prices  GET  /other   1',
      '0 problems, 2 requests without a template',
      '',
    ].join('\n'),
  });
  const { stdout } = await lint('scopes.yaml --access-log a.log --json');
  expect(JSON.parse(stdout)).toEqual({
    findings: [],
    routes: [
      { to: 'shop/prices', method: 'GET', path: '/object', isTemplate: false, calls: 100, isOpaque: true },
      { to: 'shop/prices', method: 'GET', path: '/other', isTemplate: false, calls: 1, isOpaque: false },
    ],
  });
});

test('what an access log says cannot steer the terminal', async () => {
  write('scopes.yaml', scopes('groups.documents.delete'));
  write('a.log', accessLogText({ method: '\u001b[2J\nGET\u202e', path: '/a' }));
  const { stdout } = await lint('scopes.yaml --access-log a.log');
  expect(stdout).toContain('  shop/prices  ?[2J?GET?  /a  1\n');
});

test.each([
  ['', 'FILE|DIR… is missing'],
  ['none.yaml', 'there is no '],
  ['scopes.yaml --access-log none.log', 'there is no '],
  ['scopes.yaml --access-log scopes.yaml', 'is of an access log'],
])('%j ends with 2', async (line, problem) => {
  write('scopes.yaml', scopes('groups.documents.delete'));
  expect(await lint(line)).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining(problem) });
});
