const unprintable = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** What came from elsewhere as one line that a terminal only shows: no control character, escape sequence or line break. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, '?');
}

/** The same for every text in a plain value, as JSON holds it. */
export function allPrintable<T>(value: T): T {
  const each = (_key: string, part: unknown): unknown => (typeof part === 'string' ? printable(part) : part);
  return JSON.parse(JSON.stringify(value), each) as T;
}

/** The same for lines of ours that quote it. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
