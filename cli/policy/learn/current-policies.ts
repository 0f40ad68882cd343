import { resolve } from 'node:path';
import { UsageError, type Arguments, type Edge } from '#cli/edge.ts';
import { askPolicies } from '#cli/policy/ask.ts';
import { readRawPolicyFiles } from '#cli/policy-files.ts';
import { defaultStateDir } from '#cli/run-file.ts';
import { toPolicy } from '#policy/documents.ts';
import type { PolicyDocument } from '#policy/model.ts';
import { Fault } from '#runtime/fault.ts';

export interface CurrentPolicy {
  readonly document: PolicyDocument;
  /** As it was written. */
  readonly raw: unknown;
}

export interface Current {
  /** Undefined: there is nothing to compare with. */
  readonly policies: readonly CurrentPolicy[] | undefined;
  /** What to do about that. */
  readonly why?: string;
}

/**
 * Those of `--policies`, or those in force: of the control plane that `--data-dir` or `--state-dir` names. Where nobody named
 * one, that of an `up` here is asked if it runs and its own logs are read.
 */
export async function currentPolicies(args: Arguments, edge: Edge): Promise<Current> {
  const { values, lists, positionals } = args;
  const files = lists['policies'];
  if (files !== undefined) {
    if (values['data-dir'] !== undefined)
      throw new UsageError('--policies and --data-dir both say what to compare with', 'give one of them');
    return { policies: readRawPolicyFiles(files, edge) };
  }
  if (values['data-dir'] !== undefined) return { policies: await inForce(args, edge) };
  if (positionals.length > 0 && values['state-dir'] === undefined) return { policies: undefined, why: nameThem };
  const dataDir = resolve(edge.cwd, values['state-dir'] ?? defaultStateDir, 'control-plane');
  try {
    return { policies: await inForce({ ...args, values: { ...values, 'data-dir': dataDir } }, edge) };
  } catch (error) {
    const isAway =
      error instanceof Fault && (error.code === 'NO_CONTROL_PLANE' || error.code === 'CONTROL_PLANE_UNREACHABLE');
    if (!isAway) throw error;
    return { policies: undefined, why: `no control plane runs with its data in ${dataDir}; ${nameThem}` };
  }
}

const nameThem = 'name what to compare with: --policies FILE or --data-dir DIR';

async function inForce(args: Arguments, edge: Edge): Promise<readonly CurrentPolicy[]> {
  const { policies } = await askPolicies(args, edge, (client, options) => client.list(options));
  return policies.map(({ json, namespace, name }) => {
    const raw: unknown = JSON.parse(json);
    const read = toPolicy(raw);
    if (read.ok) return { document: read.value, raw };
    throw new Fault('POLICY_UNKNOWN', `the control plane has ${namespace}/${name}, which cannot be read here`, {
      hint: 'use the version of eastwest that the control plane has',
    });
  });
}
