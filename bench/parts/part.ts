import type { Identities } from '#bench/certificates.ts';
import type { StartOptions } from '#bench/running.ts';
import type { Subject } from '#bench/subjects/subject.ts';

/** One number of one subject, with everything it was drawn from: one sample per round. */
export interface Figure {
  readonly scenario: string;
  readonly subject: string;
  readonly metric: string;
  /** In the order of the rounds: the n-th samples of two subjects were taken next to each other. */
  readonly samples: readonly number[];
}

/** What was to be measured and could not be. */
export interface Gap {
  readonly subject: string;
  /** Undefined: all scenarios of the part. */
  readonly scenario?: string | undefined;
  readonly why: string;
}

export interface Column {
  readonly metric: string;
  readonly title: string;
  readonly digits: number;
  /** `with-ratio`: a second column shows it divided by the reference subject's, round by round. */
  readonly ratio: 'with-ratio' | 'alone';
}

/** `quick`: the whole part ends in under 50 s. */
export type Effort = 'quick' | 'full';

/** What a part gets to work with. */
export interface Bench extends StartOptions {
  readonly effort: Effort;
  /** Removed at the end. */
  readonly workDir: string;
  readonly identities: Identities;
  /** Those that are installed and belong to this part. */
  readonly subjects: readonly Subject[];
  /** One line for the person who waits. */
  progress(line: string): void;
}

export interface Scenario {
  readonly name: string;
  /** `eastwest`: nothing of that kind exists for peers. */
  readonly subjects: 'all' | 'eastwest';
  /** `full`: left out by `--quick`. */
  readonly effort?: 'full';
}

export interface Findings {
  readonly figures: readonly Figure[];
  readonly gaps: readonly Gap[];
}

/** One `--only NAME`. A new one is a file here and a line in `main.ts`. */
export interface Part {
  readonly name: string;
  readonly title: string;
  /** For the document: what was done, in which units, and what to know when reading it. */
  readonly about: string;
  readonly scenarios: readonly Scenario[];
  readonly columns: readonly Column[];
  run(bench: Bench): Promise<Findings>;
}
