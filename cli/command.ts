import type { Run } from './edge.ts';

export interface Option {
  /** How the value is written in the help, e.g. `HOST:PORT`; none for a flag. */
  readonly value?: string;
  /** May be given several times. */
  readonly isList?: true;
  readonly help: string;
}

export interface Command {
  /** One or two words, e.g. `token create`. */
  readonly name: string;
  readonly summary: string;
  /** Positional arguments as the help shows them; `[x]` may be left out, of `x…` there may be several. */
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  /** What else one must know, a line each. */
  readonly notes?: readonly string[];
  /** Loads the command's own code: nobody pays for another command's imports. */
  load(): Promise<{ readonly run: Run }>;
}

/** Of the commands that talk to a control plane. */
export const dataDir: Option = {
  value: 'DIR',
  help: "the control plane's data directory (default: .eastwest/control-plane)",
};

/** Of the commands that look for an `up`. */
export const stateDir: Option = { value: 'DIR', help: 'where `up` keeps its state (default: .eastwest)' };

/** Of the commands that the control plane answers to operators. */
export const operatorFile: Option = {
  value: 'FILE',
  help: 'file with your credential (default: the one that EASTWEST_OPERATOR names)',
};
