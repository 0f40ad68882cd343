/** What a process said of its end: the line that names an error, or else its last one. */
export function lastWords(lines: readonly string[]): string | null {
  return errorLine(lines) ?? lines.at(-1) ?? null;
}

export function errorLine(lines: readonly string[]): string | undefined {
  return lines.findLast((line) => /^error: |\w*Error\b/.test(line));
}

export function isForPeople(line: string): boolean {
  return line.trim() !== '' && !line.startsWith('{"');
}

/** What a log event of level `warn` or `error` says, e.g. `certificate.refused token-used`; else undefined. */
export function troubleIn(line: string): string | undefined {
  if (!/^\{"level":"(warn|error)"/.test(line)) return undefined;
  try {
    const { event, reason, detail, problem, error } = JSON.parse(line) as Record<string, unknown>;
    return [event, reason, detail, problem, error].filter((part) => typeof part === 'string').join(' ');
  } catch {
    return undefined;
  }
}
