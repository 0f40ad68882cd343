import type { Job, LoadResult } from './job.ts';

/** What goes to the load generator's process, and what comes back, once for each ID. */
export type LoaderOrder =
  | { readonly id: number; readonly kind: 'run'; readonly job: Job }
  | { readonly id: number; readonly kind: 'hold'; readonly port: number; readonly connections: number }
  | { readonly id: number; readonly kind: 'release'; readonly held: number };

export type LoaderAnswer =
  | { readonly id: number; readonly ok: true; readonly result: LoadResult | undefined }
  | { readonly id: number; readonly ok: false; readonly why: string };
