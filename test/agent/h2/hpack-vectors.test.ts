import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HpackDecoder } from '#agent/h2/hpack-decoder.ts';

const folder = process.env['EASTWEST_VECTORS'];
const stories = folder === undefined ? [] : globSync('hpack/*.json', { cwd: folder }).toSorted();
const isPresent = folder !== undefined && existsSync(join(folder, 'hpack'));
if (!isPresent) console.warn('skipped: HPACK vectors (set EASTWEST_VECTORS to their folder)');

interface Story {
  readonly cases: readonly {
    readonly header_table_size?: number;
    readonly wire: string;
    readonly headers: readonly Readonly<Record<string, string>>[];
  }[];
}

describe.runIf(isPresent)('header compression stories of other encoders', () => {
  test('there are some', () => {
    expect(stories.length).toBeGreaterThan(15);
  });

  test.each(stories)('%s is decoded exactly', (name) => {
    const { cases } = JSON.parse(readFileSync(join(folder ?? '', name), 'utf8')) as Story;
    const decoder = new HpackDecoder({ tableBytes: 65_536, maxListBytes: 1_000_000, maxFields: 1_000 });
    for (const { wire, headers } of cases) {
      expect(decoder.decode(Buffer.from(wire, 'hex'))).toBe('decoded');
      expect(decoder.fields.map(({ name: field, value }) => ({ [field]: value }))).toEqual(headers);
    }
    expect(cases.length).toBeGreaterThan(0);
  });
});
