import { z } from 'zod';
import { closest } from '#runtime/closest.ts';

/** What is wrong with settings that do not exist at this place of the document, and what may have been meant. */
export function unknownSettings(document: z.ZodType, path: readonly PropertyKey[], keys: readonly string[]): string {
  const known = settingsAt(document, path);
  const told = keys.map((key) => {
    const near = closest(key, known);
    return `there is no setting ${key}; ${near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`}`;
  });
  return told.join('; ');
}

/** The settings there are below a path, e.g. `['inbound', 'ports', 0]`. */
function settingsAt(schema: z.core.$ZodType | undefined, path: readonly PropertyKey[]): readonly string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return settingsAt(schema.unwrap(), path);
  }
  const [first, ...rest] = path;
  if (schema instanceof z.ZodArray) return settingsAt(schema.element, rest);
  if (!(schema instanceof z.ZodObject)) return [];
  const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape;
  return first === undefined ? Object.keys(shape) : settingsAt(shape[String(first)], rest);
}
