import type { HttpTimes } from '#agent/http/service.ts';
import type { OutboundParts } from '#agent/outbound/outbound-parts.ts';
import type { Outlet } from '#agent/outbound/outlet.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { RouteTable } from './route-table.ts';

/** What all connections from outside share. They reach the mesh as the app beside us does. */
export interface GatewayParts extends OutboundParts {
  readonly times: HttpTimes;
  readonly routes: RouteTable<Outlet>;
  readonly rates: RateLimiter;
  /** How many such gateways share this process's sockets. */
  readonly workers: number;
}
