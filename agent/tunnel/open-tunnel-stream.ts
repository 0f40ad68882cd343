import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { authorityOf } from './authority.ts';
import type { PeerStream } from './carrier.ts';
import type { OpenProblem } from './peer.ts';
import type { SessionWay, WayOrder } from './way.ts';

/** Sessions that one stream is tried on. */
const maxAttempts = 3;

/** A CONNECT stream on a session of the slot. */
export async function openTunnelStream(
  slot: SessionWay,
  order: WayOrder,
  clock: Clock,
): Promise<Result<PeerStream, OpenProblem>> {
  const authority = authorityOf({ host: slot.target.address.host, port: order.port });
  const giveUpMs = clock.monotonic() + order.deadlineMs;
  for (let attempt = 1; ; attempt += 1) {
    const obtained = await slot.obtain(giveUpMs - clock.monotonic());
    if (!obtained.ok) return obtained;
    const carrier = obtained.value;
    const opened = await carrier.openStream({ ...order, authority, deadlineMs: giveUpMs - clock.monotonic() });
    if (opened.ok) return ok({ pipe: opened.value, carrier });
    if (opened.reason === 'full') continue; // the slot makes another session, or says that there are enough
    // It was retired, or said goodbye, just as we chose it; nothing of the app's was sent: the next one is asked.
    const isLate = opened.reason === 'unreachable' && !carrier.isUsable;
    if (!isLate || attempt >= maxAttempts) return refuse(opened.reason);
  }
}
