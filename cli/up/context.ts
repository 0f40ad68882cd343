import type { Edge } from '#cli/edge.ts';
import type { StartChild } from './child.ts';
import type { Report } from './events.ts';
import type { Keeper } from './keeper.ts';
import type { LogFile } from './log-file.ts';
import type { Plan } from './plan.ts';
import type { StateDir } from './state-dir.ts';

/** What every part of a running mesh is built from. */
export interface UpContext {
  readonly edge: Edge;
  readonly plan: Plan;
  /** Folder of the mesh file: where apps run. */
  readonly meshDir: string;
  readonly state: StateDir;
  readonly startChild: StartChild;
  readonly keeper: Keeper;
  readonly report: Report;
  /** Opens a log file by name, once. */
  readonly logFile: (name: string) => LogFile;
}
