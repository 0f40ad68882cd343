import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { Fault } from '#runtime/fault.ts';
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

/** Throws `Fault` NO_PROGRAM with every workload that could not be started here. */
export function checkProgramsExist(
  workloads: readonly MeshWorkload[],
  hasFor: (workload: MeshWorkload) => HasProgram,
): void {
  const missing = workloads.flatMap((workload) => {
    const has = hasFor(workload);
    const program = chooseProgram(workload, has).argv[0] ?? '';
    if (has(program)) return [];
    const where = program.includes('/') ? 'is no program that one can start here' : 'is not on PATH';
    return [`${workload.name}: ${program} ${where}`];
  });
  if (missing.length === 0) return;
  throw new Fault('NO_PROGRAM', missing.join('\n'), {
    hint: 'install it, correct `run` in the mesh file, or add `otherwise` with a program to start instead',
  });
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
