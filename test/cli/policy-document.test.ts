import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { eastwest } from '#support/command-line.ts';
import { checkout, freshFolder } from '#support/fresh-folder.ts';
import { commandsIn, filesIn } from '#support/readme.ts';

const document = 'docs/policy.md';
const commands = commandsIn(document);

test('docs/policy.md shows commands', () => {
  expect(commands.length).toBeGreaterThan(2);
});

test.each(commands)('%s prints what docs/policy.md shows', async (command) => {
  await using folder = freshFolder();
  for (const [name, text] of Object.entries(filesIn(document))) {
    mkdirSync(dirname(join(folder.path, name)), { recursive: true });
    writeFileSync(join(folder.path, name), text);
  }
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  expect(words.slice(0, 2)).toEqual(['npx', 'eastwest']);
  const { stdout, stderr } = await eastwest(words.slice(2), folder.path);
  expect(stderr).toBe('');
  const text = readFileSync(join(checkout, document), 'utf8');
  const shown = text.split(`\`\`\`sh\n${command}\n\`\`\`\n\n\`\`\`\n`)[1]?.split('\n```\n')[0];
  expect(`${shown}\n`).toBe(stdout);
});
