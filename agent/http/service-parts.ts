import type { HttpService } from './service.ts';

type Shared = Pick<HttpService<never>, 'clock' | 'deadlines' | 'limits' | 'times'>;

/** What every service has from the side of the agent that it belongs to. */
export class ServiceParts implements Shared {
  readonly clock: Shared['clock'];
  readonly deadlines: Shared['deadlines'];
  readonly limits: Shared['limits'];
  readonly times: Shared['times'];

  constructor({ clock, deadlines, limits, times }: Shared) {
    this.clock = clock;
    this.deadlines = deadlines;
    this.limits = limits;
    this.times = times;
  }
}
