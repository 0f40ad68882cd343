import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './fresh-folder.ts';

/** The files that a document shows: fenced blocks whose first line names one, such as ```` ```yaml mesh.yaml ````. */
export function filesIn(document: string): Readonly<Record<string, string>> {
  const text = readFileSync(join(checkout, document), 'utf8');
  const blocks = [...text.matchAll(/^```\w+ ([\w./-]+)\n([\s\S]*?)^```$/gm)];
  return Object.fromEntries(blocks.map(([, name = '', content = '']) => [name, content]));
}

export const byHandHeading = '## Control plane and agents by hand';

/** Every command line of a document's `sh` blocks, in order; with a heading, those of its section alone. */
export function commandsIn(document: string, heading?: string): readonly string[] {
  const text = readFileSync(join(checkout, document), 'utf8');
  const section = heading === undefined ? text : (text.split(`\n${heading}\n`)[1]?.split('\n## ')[0] ?? '');
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap((block) => (block[1] ?? '').split('\n'))
    .filter((line) => line.trim() !== '');
}
