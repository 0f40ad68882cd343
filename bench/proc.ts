import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Linux counts CPU time for user space in hundredths of a second, whatever its own clock (USER_HZ, proc(5)). */
const tickMicroseconds = 10_000;

/** The process and all below it: nginx works in children of the one that was started. */
export function processTree(pid: number): readonly number[] {
  const children = readProc(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(processTree)];
}

/**
 * CPU time of the process tree so far, all threads that live, user and system, in microseconds. From the scheduler's own
 * account, in nanoseconds; where it is not kept, in steps of 10,000.
 */
export function cpuMicroseconds(pid: number): number {
  return sum(
    processTree(pid).map((each) => scheduledMicroseconds(each) ?? ticks(each, ['utime', 'stime']) * tickMicroseconds),
  );
}

/** Undefined: the kernel keeps no such account (CONFIG_SCHED_INFO). */
function scheduledMicroseconds(pid: number): number | undefined {
  const threads = readdirSync(`/proc/${pid}/task`);
  try {
    return sum(threads.map((thread) => Number.parseInt(readProc(pid, `task/${thread}/schedstat`), 10))) / 1000;
  } catch {
    return undefined; // or a thread ended while we looked
  }
}

/** From field 3 on: the program's name before it may hold blanks. */
const statFields = { utime: 11, stime: 12, cutime: 13, cstime: 14 } as const;

function ticks(pid: number, fields: readonly (keyof typeof statFields)[]): number {
  const stat = readProc(pid, 'stat');
  const values = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return sum(fields.map((field) => Number(values[statFields[field]])));
}

/** Used since this was called, 0 to 1 of what the machine has, by anybody but this process and whatever it started. */
export function watchOthers(): () => number {
  const before = machineTicks();
  const oursBefore = ownTicks();
  return () => {
    const after = machineTicks();
    const all = after.all - before.all;
    return Math.max(0, (all - (after.idle - before.idle) - (ownTicks() - oursBefore)) / all);
  };
}

/** With children that have ended. */
function ownTicks(): number {
  return sum(processTree(process.pid).map((each) => ticks(each, ['utime', 'stime', 'cutime', 'cstime'])));
}

function machineTicks(): { all: number; idle: number } {
  const [first = ''] = readFileSync('/proc/stat', 'latin1').split('\n');
  const each = first.split(/\s+/).slice(1, 9).map(Number); // user nice system idle iowait irq softirq steal
  return { all: sum(each), idle: (each[3] ?? 0) + (each[4] ?? 0) };
}

export interface Memory {
  /** Resident, pages shared with other programs included. */
  readonly rssMb: number;
  /** Of which nobody else's and not a file's. */
  readonly rssAnonMb: number;
}

/** Of the process tree, in MiB. Pages that its processes share are counted once for each. */
export function memoryOf(pid: number): Memory {
  const states = processTree(pid).map((each) => readProc(each, 'status'));
  const total = (field: string): number =>
    sum(states.map((status) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]))) / 1024;
  return { rssMb: total('VmRSS'), rssAnonMb: total('RssAnon') };
}

/** Bytes that the process tree has handed to the kernel so far: to sockets, and what little it wrote to files. */
export function bytesWritten(pid: number): number {
  return sum(processTree(pid).map((each) => Number(/^wchar: (\d+)$/m.exec(readProc(each, 'io'))?.[1])));
}

/** Sockets that the process tree holds, listening ones included. */
export function openSockets(pid: number): number {
  return sum(processTree(pid).map((each) => readdirSync(`/proc/${each}/fd`).filter((fd) => isSocket(each, fd)).length));
}

function isSocket(pid: number, fd: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
  } catch {
    return false; // closed meanwhile
  }
}

function readProc(pid: number, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, 'latin1').trim();
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** Files and sockets that one process may have open, root or not. */
export function openFilesLimit(): number {
  const hard = /^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return hard === undefined ? Infinity : Number(hard);
}
