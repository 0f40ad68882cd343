const form = /^([1-9]\d{0,8})(ms|s|m|h)$/;
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `500ms`, `25s`, `2m` or `1h` in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit = ''] = form.exec(text) ?? [];
  const factor = unitMs[unit];
  return factor === undefined ? undefined : Number(digits) * factor;
}

/** `42s`, `3m 05s`, `2h 10m`, rounded down; negative is `0s`. */
export function showDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const pad = (n: number): string => String(n).padStart(2, '0');
  if (seconds < 100) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h ${pad(Math.floor((seconds % 3600) / 60))}m`;
}

/** `2026-03-01T12:00:00.000Z`. */
export function isoTime(ms: number): string {
  // oxlint-disable-next-line no-restricted-globals -- a conversion: it reads no clock
  return new Date(ms).toISOString();
}

/** The reverse of `isoTime`; NaN for anything else. */
export function parseIsoTime(text: string): number {
  // oxlint-disable-next-line no-restricted-globals -- a conversion: it reads no clock
  return Date.parse(text);
}
