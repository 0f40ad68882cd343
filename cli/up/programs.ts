import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { MeshWorkload } from './mesh-types.ts';

export interface Chosen {
  readonly argv: readonly string[];
  /** The program that is not here, when the twin was chosen. */
  readonly missing: string | undefined;
}

export type HasProgram = (program: string) => boolean;

/** `run`, or `otherwise` where the machine lacks the program of `run` and has that of `otherwise`. */
export function chooseProgram({ run, otherwise }: MeshWorkload, has: HasProgram): Chosen {
  const program = run[0] ?? '';
  if (otherwise === undefined || has(program)) return { argv: run, missing: undefined };
  return { argv: otherwise, missing: program };
}

/** Looks where `spawn` will look: a path relative to `cwd`, or else the folders of PATH. */
export function programFinder(path: string, cwd: string): HasProgram {
  return (program) => {
    if (program.includes('/')) return isExecutable(isAbsolute(program) ? program : resolve(cwd, program));
    return path.split(delimiter).some((folder) => folder !== '' && isExecutable(join(folder, program)));
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
