import { join } from 'node:path';
import type { Identities } from './certificates.ts';
import { freePort, startProcess, type Running, type StartOptions } from './running.ts';
import type { Place, Subject } from './subjects/subject.ts';

export interface Pair extends AsyncDisposable {
  readonly subject: string;
  readonly place: Place;
  readonly egress: Running;
  readonly ingress: Running;
  /** For the load generator. */
  readonly url: string;
}

/** What is the same for all pairs of a part. */
export interface PairSettings extends StartOptions {
  readonly workDir: string;
  readonly identities: Identities;
  readonly appPort: number;
}

let places = 0;

/** A place that no other process uses. */
export async function createPlace({
  workDir,
  identities,
  appPort,
}: Omit<PairSettings, keyof StartOptions>): Promise<Place> {
  places += 1;
  const [egressPort, ingressPort] = [await freePort(), await freePort()];
  return { ...identities, dir: join(workDir, `pair-${places}`), egressPort, ingressPort, appPort };
}

export async function startPair(subject: Subject, settings: PairSettings): Promise<Pair> {
  const place = await createPlace(settings);
  await using started = new AsyncDisposableStack();
  const of = { ingress: subject.ingress(at(place, 'ingress')), egress: subject.egress(at(place, 'egress')) };
  const ingress = started.use(await startProcess(subject.program, of.ingress, settings));
  const egress = started.use(await startProcess(subject.program, of.egress, settings));
  const all = started.move();
  const url = `http://127.0.0.1:${place.egressPort}/`;
  return { subject: subject.name, place, egress, ingress, url, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

export function at(place: Place, side: 'egress' | 'ingress'): Place {
  return { ...place, dir: join(place.dir, side) };
}
