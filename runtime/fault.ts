/**
 * Something broke that no caller asked for: a full disk, an unreachable control plane. Thrown, never returned.
 * `code` is stable and upper case; `hint`, where given, tells a person what to do next.
 */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}
