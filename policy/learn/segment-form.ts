const number = /^\d+(?:[.:_-]\d+)*$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const hash = /^(?=.*\d)[0-9a-f]{12,}$/i;
const ulid = /^(?=.*\d)[0-9a-hjkmnp-tv-z]{26}$/i;
const token = /^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w-]{20,}$/;

/**
 * Whether a segment of a path names one thing among many by its form: a number (dates and versions too), a UUID, a ULID, 12
 * hexadecimal digits or more, or a random text of 20 letters and digits or more. Words are not told apart by their form.
 */
export function isIdentifier(segment: string): boolean {
  return [number, uuid, hash, ulid, token].some((form) => form.test(segment));
}
