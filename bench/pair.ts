import { join } from 'node:path';
import type { Identities } from './certificates.ts';
import { freePort, startProcess, type Running, type StartOptions } from './running.ts';
import type { Place, Protocol, Subject } from './subjects/subject.ts';

export interface Pair extends AsyncDisposable {
  readonly subject: string;
  readonly place: Place;
  readonly egress: Running;
  readonly ingress: Running;
}

/** What is the same for all pairs of a part. */
export interface PairSettings extends StartOptions {
  readonly workDir: string;
  readonly identities: Identities;
  readonly protocol: Protocol;
  readonly appPort: number;
}

/** Of pairs that nobody calls. */
export const uncalled = { protocol: 'http', appPort: 9 } as const;

let places = 0;

/** A place that no other process uses. */
export async function createPlace(settings: Omit<PairSettings, keyof StartOptions>): Promise<Place> {
  const { workDir, identities, protocol, appPort } = settings;
  places += 1;
  const dir = join(workDir, `pair-${places}`);
  const [egressPort, ingressPort] = [await freePort(), await freePort()];
  return { ...identities, dir, protocol, egressPort, ingressPort, appPort };
}

export async function startPair(subject: Subject, settings: PairSettings): Promise<Pair> {
  const place = await createPlace(settings);
  await using started = new AsyncDisposableStack();
  const of = { ingress: subject.ingress(at(place, 'ingress')), egress: subject.egress(at(place, 'egress')) };
  const ingress = started.use(await startProcess(subject.program, of.ingress, settings));
  const egress = started.use(await startProcess(subject.program, of.egress, settings));
  const all = started.move();
  return { subject: subject.name, place, egress, ingress, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

export function at(place: Place, side: 'egress' | 'ingress'): Place {
  return { ...place, dir: join(place.dir, side) };
}
