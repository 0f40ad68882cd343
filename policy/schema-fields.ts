import { z } from 'zod';
import type { Result } from '#runtime/result.ts';
import type { Selector } from './model.ts';
import type { ReadPattern } from './patterns.ts';

const labelKeyForm = /^(?:[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const maxNameLength = 253;

/** A text that `read` takes, or its sentence. */
export function textRead<T>(hint: string, read: (text: string) => Result<T, string>) {
  return z.string(hint).transform((text, context) => {
    const value = read(text);
    if (value.ok) return value.value;
    context.issues.push({ code: 'custom', input: text, message: value.reason });
    return z.NEVER;
  });
}

/** Never empty: Istio takes an empty list for none, which reads as if it named nobody. */
export function patternsRead(read: ReadPattern, example: string) {
  const hint = `write texts, e.g. ["${example}"]`;
  return z.array(textRead(hint, read), hint).min(1, emptyListHint).readonly().exactOptional();
}

export const emptyListHint = 'is empty: write a value, or leave the field out';

const portHint = 'write a port of 1 to 65535';

/** Istio writes ports as texts. */
const port = z.union([z.number(), z.string()], portHint).transform((value, context) => {
  if (/^[1-9]\d{0,4}$/.test(String(value)) && Number(value) <= 65_535) return Number(value);
  context.issues.push({ code: 'custom', input: value, message: portHint });
  return z.NEVER;
});

export const ports = z.array(port, 'write ports, e.g. ["8080"]').min(1, emptyListHint).readonly().exactOptional();

/** A label that is overlooked would widen a selector: every name is looked at, also those that mean something to JavaScript. */
const labels = z.unknown().transform((value, context): Selector => {
  const members = membersOf(value);
  if (members === undefined)
    context.issues.push({ code: 'custom', input: value, message: 'write labels, e.g. { app: prices }' });
  const found = new Map<string, string>();
  for (const [name, label] of members ?? []) {
    if (typeof label === 'string' && labelKeyForm.test(name)) found.set(name, label);
    else
      context.issues.push({
        code: 'custom',
        input: label,
        path: [name],
        message: 'is no label: write a name and a text in quotes',
      });
  }
  return Object.fromEntries(found);
});

/** Own members of a plain mapping, in order. */
export function membersOf(value: unknown): readonly (readonly [string, unknown])[] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value);
}

const noLabels: Selector = {};

export const selector = z
  .strictObject({ matchLabels: labels.prefault({}) }, 'write selector: { matchLabels: { app: prices } }')
  .transform(({ matchLabels }) => matchLabels)
  .default(noLabels);

const nameHint = 'write a name: a-z, 0-9, "-" and ".", e.g. prices';
export const resourceName = z
  .string(nameHint)
  .max(maxNameLength, nameHint)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, nameHint);

/** Labels and annotations are Kubernetes' own matter, but for one that would change what Istio does with a policy. */
const notes = z.record(z.string(), z.string('write a text in quotes'), 'write texts by name').exactOptional();
const annotations = notes.refine((given) => given?.['istio.io/dry-run'] !== 'true', {
  path: ['istio.io/dry-run'],
  message: 'is not supported, and without it the policy would count: write dryRun: true per rule in eastwest.dev/v1',
});

const metadataHint = 'write metadata: { name: …, namespace: … }';

export const metadata = z.strictObject(
  { name: resourceName, namespace: resourceName.default('default'), labels: notes, annotations },
  metadataHint,
);

/** Of what must not be in force in one place only because nobody said where. */
export const placedMetadata = z.strictObject(
  {
    name: resourceName,
    namespace: z
      .string(
        'is missing: write the root namespace (istio-system) to deny everywhere, or the one namespace that it is for',
      )
      .pipe(resourceName),
    labels: notes,
    annotations,
  },
  metadataHint,
);

/** Of what holds for the whole mesh and so stands in its root namespace. */
export const meshMetadata = z.strictObject(
  { name: resourceName, namespace: resourceName.exactOptional(), labels: notes, annotations },
  metadataHint,
);
