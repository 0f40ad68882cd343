/**
 * What a person sees of an error: `error: …` with its causes, then `fix: …` where one is known (a `hint`). Several
 * problems in one message stay on lines of their own.
 */
export function errorLines(error: unknown): string {
  const lines = [`error: ${messages(error).join(': ')}`];
  const hint = error instanceof Error && 'hint' in error ? error.hint : undefined;
  if (typeof hint === 'string') lines.push(`fix: ${hint}`);
  return `${lines.join('\n')}\n`;
}

/** Without its causes. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'string' ? error : 'unknown error';
}

/** The message and those of its causes, without repeating one that the outer message already quotes. */
function messages(error: unknown): string[] {
  const found: string[] = [];
  let at = error;
  while (at !== undefined && found.length < 5) {
    const message = messageOf(at);
    if (message !== '' && !found.some((seen) => seen.includes(message))) found.push(message);
    at = at instanceof Error ? at.cause : undefined;
  }
  return found;
}
