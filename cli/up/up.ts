import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Fault } from '#runtime/fault.ts';
import { UsageError, type Arguments, type Edge, type Run } from '#cli/edge.ts';
import { defaultStateDir } from '#cli/run-file.ts';
import { parseDuration } from '#cli/time-text.ts';
import { removeAccessLogs } from './access-logs.ts';
import { createStartChild } from './child.ts';
import type { UpContext } from './context.ts';
import { appEnv, ownEnv } from './environments.ts';
import type { Reporter } from './events.ts';
import { startKeeper } from './keeper.ts';
import { openLogFile, type LogFile } from './log-file.ts';
import { parseMeshFile } from './mesh-file.ts';
import type { Mesh } from './mesh-types.ts';
import { planMesh, portsNeeded } from './plan.ts';
import { checkPortsAreFree, findFreePorts } from './ports.ts';
import { checkProgramsExist, programFinder } from './programs.ts';
import { jsonReporter, plainReporter, tableReporter } from './reporters.ts';
import { runMesh } from './run-mesh.ts';
import { openStateDir } from './state-dir.ts';
import { claimForTrustDomain } from './state-owner.ts';

/** `eastwest up`: a whole mesh from one file. */
export const run: Run = async (args, edge) => {
  const file = resolve(edge.cwd, args.positionals[0] ?? 'mesh.yaml');
  const forMs = forOption(args);
  const mesh = loadMesh(file, edge);
  const stateDir = resolve(edge.cwd, args.values['state-dir'] ?? defaultStateDir);
  const names = mesh.workloads.map(({ name }) => name);
  const state = await openStateDir(stateDir, edge, names);
  const logs: LogFile[] = [];
  const keeper = startKeeper(ownEnv(edge.env));
  try {
    claimForTrustDomain(state, mesh.trustDomain);
    checkProgramsExist(mesh.workloads, ({ env }) =>
      programFinder(appEnv(edge.env, env, state.nodeDir)['PATH'] ?? '', dirname(file)),
    );
    await checkPortsAreFree(mesh);
    const freePorts = await findFreePorts(portsNeeded(mesh));
    const { controlPlaneDir, logDir, socketDir } = state;
    const plan = planMesh(mesh, { controlPlaneDir, logDir, socketDir, freePorts });
    removeAccessLogs(logDir);
    const reporter = reporterFor(args, edge);
    const context: UpContext = {
      edge,
      plan,
      meshDir: dirname(file),
      state,
      startChild: createStartChild(edge),
      keeper,
      report: reporter.report,
      logFile(name) {
        const log = openLogFile(join(state.logDir, `${name}.log`));
        logs.push(log);
        return log;
      },
    };
    const { name, trustDomain, svidLifeMs, workloads } = mesh;
    reporter.report({
      event: 'up.starting',
      mesh: name,
      trustDomain,
      svidLifeMs,
      workloads: workloads.length,
      stateDir: state.path,
    });
    return await runMesh(context, reporter, forMs);
  } finally {
    keeper.close();
    state.close();
    for (const log of logs) log.close();
  }
};

function forOption({ values }: Arguments): number | undefined {
  const text = values['for'];
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) throw new UsageError(`--for ${text} is no duration`, 'write 30s, 10m or 1h');
  return ms;
}

function loadMesh(file: string, edge: Edge): Mesh {
  let text: string;
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    const inside = join(file, 'mesh.yaml');
    throw new Fault('NO_MESH_FILE', `${file} is a folder`, {
      hint: `name the file: eastwest up ${existsSync(inside) ? inside : 'path/to/mesh.yaml'}`,
    });
  }
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Fault('NO_MESH_FILE', `cannot read ${file}`, { cause, hint: 'name it: eastwest up path/to/mesh.yaml' });
  }
  const parsed = parseMeshFile(text);
  if (parsed.ok) return parsed.value;
  const problems = parsed.reason.map((problem) => `\n  ${problem}`).join('');
  throw new Fault('BAD_MESH_FILE', `${file} is not a mesh file:${problems}`, {
    hint: `correct these places; ${referencePath(edge)} lists every setting`,
  });
}

/** In a checkout `cli/main.ts` runs, in the package `dist/cli/main.js`. */
function referencePath({ self }: Edge): string {
  const room = dirname(dirname(self.main));
  const paths = [room, dirname(room)].map((root) => join(root, 'docs', 'reference.md'));
  return paths.find((path) => existsSync(path)) ?? 'docs/reference.md';
}

function reporterFor({ flags }: Arguments, { stdout }: Edge): Reporter {
  if (flags.has('json')) return jsonReporter(stdout);
  return stdout.isTerminal ? tableReporter(stdout) : plainReporter(stdout);
}
