import { z } from 'zod';
import { membersOf, textRead } from '#policy/schema-fields.ts';
import type { Result } from '#runtime/result.ts';
import { approvals } from './model.ts';
import { readNote, readPlainName } from './names.ts';

const maxLabels = 64;

/** A set of texts, none of them twice, at least one where it is written at all. */
export function setRead<T extends string>(example: string, most: number, read: (text: string) => Result<T, string>) {
  const hint = `write texts, e.g. [${example}]`;
  return z
    .array(textRead(hint, read), hint)
    .min(1, 'is empty: write a value, or leave the field out')
    .max(most, `has too many values: ${most} are the most`)
    .transform((values, context): ReadonlySet<T> => {
      const twice = values.findIndex((value, index) => values.indexOf(value) !== index);
      if (twice >= 0) {
        context.issues.push({ code: 'custom', input: values, path: [twice], message: 'is there twice: keep one' });
      }
      return new Set(values);
    });
}

/** One of these words, each once. */
export function wordsOf<T extends string>(words: readonly [T, ...T[]]) {
  const word = z.enum(words, `write ${words.join(' or ')}`);
  return z
    .array(word, `write a list of ${words.join(', ')}`)
    .min(1, 'is empty: write a value, or leave the field out')
    .transform((values): ReadonlySet<T> => new Set(values as T[]));
}

const note = textRead('write a text in quotes', readNote);

const labels = z.unknown().transform((value, context): Readonly<Record<string, string>> => {
  const members = membersOf(value);
  const say = (path: string[], message: string): void =>
    void context.issues.push({ code: 'custom', input: value, path, message });
  if (members === undefined) say([], 'write labels, e.g. { team: billing }');
  if ((members?.length ?? 0) > maxLabels) say([], `has too many labels: ${maxLabels} are the most`);
  const found = new Map<string, string>();
  for (const [name, label] of members ?? []) {
    const read = typeof label === 'string' ? readNote(label) : undefined;
    if (!/^[A-Za-z0-9]([A-Za-z0-9_./-]{0,126}[A-Za-z0-9])?$/.test(name) || read === undefined) {
      say([name], 'is no label: write a name and a text in quotes');
    } else if (!read.ok) say([name], read.reason);
    else found.set(name, read.value);
  }
  return Object.fromEntries(found);
});

/** `name` is the client_id of a Client, and the audience of a Service. */
export function metadataOf(hint: string, readName: (text: string) => Result<string, string>) {
  return z
    .strictObject(
      {
        name: textRead(hint, readName),
        tenant: textRead('write the name of a tenant', readPlainName).exactOptional(),
        global: z.literal(true, 'write global: true, or leave it out').exactOptional(),
        description: note.default(''),
        labels: labels.default({}),
      },
      'write metadata: { name: …, tenant: … }',
    )
    .refine(({ tenant, global }) => (tenant === undefined) !== (global === undefined), {
      path: ['tenant'],
      message: 'write the tenant it belongs to, or global: true if it is for all of them, and not both',
    });
}

export const approval = z.enum(approvals, 'write admin or none').default('admin');
