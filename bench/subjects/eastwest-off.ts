import { join } from 'node:path';
import { eastwest } from './eastwest.ts';
import type { Subject } from './subject.ts';

const top = join(import.meta.dirname, '..', '..');

/** Eastwest whose ingress asks for no permit and tells the app nothing: assembled here, to see what these two cost. */
export const eastwestOff: Subject = {
  ...eastwest,
  name: 'eastwest-off',
  duties: 'none',
  ingress(place) {
    const launch = eastwest.ingress(place);
    const hook = join(top, 'bench', 'policy-off', 'hook.ts');
    const main = join(top, 'cli', 'main.ts');
    return { ...launch, words: ['--conditions=source', '--import', hook, main, ...launch.words.slice(1)] };
  },
};
