import type { Exit } from './child.ts';
import type { Summary } from './summary.ts';

/** Which process of a workload; the control plane has no workload. */
export type Part = 'control-plane' | 'agent' | 'app';

/** Everything `up` tells while it runs: a line for people, or one JSON object per line with `--json`. */
export type UpEvent =
  | {
      readonly event: 'up.starting';
      readonly mesh: string;
      readonly trustDomain: string;
      readonly workloads: number;
      readonly svidLifeMs: number;
      readonly stateDir: string;
    }
  | { readonly event: 'up.ready'; readonly tookMs: number }
  | {
      readonly event: 'up.waiting';
      readonly part: Part;
      readonly workload: string | null;
      readonly why: string;
      readonly lastLine: string | null;
    }
  | { readonly event: 'up.stopping'; readonly why: string }
  | { readonly event: 'control-plane.ready'; readonly address: string }
  | {
      readonly event: 'agent.ready';
      readonly workload: string;
      readonly spiffeId: string;
      readonly inbound: string;
      readonly notAfter: string | null;
    }
  | { readonly event: 'app.ready'; readonly workload: string; readonly ports: readonly number[] }
  | {
      readonly event: 'app.late';
      readonly workload: string;
      readonly ports: readonly number[];
      readonly waitedMs: number;
    }
  | {
      readonly event: 'app.twin-started';
      readonly workload: string;
      readonly missing: string;
      readonly instead: string;
    }
  | { readonly event: 'app.output'; readonly workload: string; readonly line: string }
  | {
      readonly event: 'part.crashed';
      readonly part: Part;
      readonly workload: string | null;
      readonly exit: Exit | null;
      readonly error: string | null;
      readonly lastLine: string | null;
      readonly restartInMs: number;
      readonly logFile: string;
    }
  | { readonly event: 'part.restarted'; readonly part: Part; readonly workload: string | null; readonly starts: number }
  | {
      readonly event: 'svid.rotated';
      readonly workload: string;
      readonly rotations: number;
      readonly notAfter: string | null;
    }
  | { readonly event: 'path.proved'; readonly path: readonly string[]; readonly by: 'echo' | 'counters' }
  | { readonly event: 'traffic.failed'; readonly url: string; readonly why: string; readonly failed: number }
  | {
      readonly event: 'progress';
      readonly requests: number;
      readonly failed: number;
      readonly resets: number;
      readonly denied: number;
    };

export type Report = (event: UpEvent) => void;

/** A state of the whole, for the live table. */
export interface View {
  readonly mesh: string;
  readonly summary: Summary;
  readonly nowMs: number;
  readonly readyForMs: number | undefined;
  readonly path: readonly string[] | undefined;
  readonly rows: readonly ViewRow[];
}

export interface ViewRow {
  readonly name: string;
  readonly app: 'running' | 'waiting' | 'crashed';
  readonly agent: 'ready' | 'not ready' | 'down';
  readonly notAfterMs: number | undefined;
  readonly requests: number;
  readonly failed: number;
}

/** How a run is shown. */
export interface Reporter {
  readonly report: Report;
  /** About once a second. */
  show(view: View): void;
  /** The last word. */
  finish(summary: Summary): void;
}
