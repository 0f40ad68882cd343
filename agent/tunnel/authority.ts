import type { Address } from '#agent/config-types.ts';

/** `10.0.0.7:7002` or `[::1]:7002`, as in a URI. */
export function authorityOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The port of an authority; 0 when there is none. */
export function authorityPort(authority: string): number {
  const [, digits] = /:(\d{1,5})$/.exec(authority) ?? [];
  return Number(digits ?? 0);
}
