import type { Policies } from '#agent/identity/control-plane-identity.ts';
import { aborted } from '#runtime/drain.ts';

/** For an agent that nobody tells any policies. */
export const openNoPolicies = (): Promise<Policies> =>
  Promise.resolve({
    openStream: () => () => '',
    async run(signal) {
      await aborted(signal);
      throw signal.reason;
    },
  });
