import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '#runtime/fault.ts';
import { migrate } from './migrations.ts';
import { prepareStatements } from './statements.ts';
import type { Store, Writer } from './store.ts';

interface Job {
  run(writer: Writer): void;
  resolve(): void;
  reject(error: unknown): void;
}

const mostTurns = 6;

/**
 * Opens the store at `path`, making it (mode 0600) when there is none. A commit is on disk before it is told (WAL with
 * synchronous=FULL), so `kill -9` loses nothing that anybody was promised. One process at a time: STORE_IN_USE otherwise.
 */
export function openStore(path: string): Store {
  const database = openDatabase(path);
  const statements = prepareStatements(database);
  let waiting: Job[] = [];
  let closed = false;

  /** Under load jobs keep coming turn after turn: a few turns more share the price of one sync to disk. */
  function flushSoon(seen: number, turn: number): void {
    if (waiting.length > seen && turn < mostTurns) setImmediate(flushSoon, waiting.length, turn + 1);
    else flush();
  }

  function flush(): void {
    const jobs = waiting;
    waiting = [];
    if (closed) return jobs.forEach((job) => job.reject(closedFault()));
    try {
      database.exec('BEGIN IMMEDIATE');
      for (const job of jobs) job.run(statements);
      database.exec('COMMIT');
    } catch (cause) {
      if (database.isTransaction) database.exec('ROLLBACK');
      const fault = new Fault('STORE_FAILED', 'the store could not be written: nothing of this turn was recorded', {
        cause,
      });
      return jobs.forEach((job) => job.reject(fault));
    }
    jobs.forEach((job) => job.resolve());
  }

  return {
    ...statements,
    write<T>(work: (writer: Writer) => T): Promise<T> {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      let outcome: T;
      if (waiting.length === 0) setImmediate(flushSoon, 1, 1);
      waiting.push({
        run: (writer) => {
          outcome = work(writer);
        },
        resolve: () => resolve(outcome),
        reject,
      });
      return promise;
    },
    close() {
      if (closed) return;
      closed = true;
      database.close();
    },
  };
}

const closedFault = (): Fault => new Fault('STORE_CLOSED', 'the store is closed');

function openDatabase(path: string): DatabaseSync {
  closeSync(openSync(path, 'a', 0o600)); // SQLite would make it by the process's umask
  const database = new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: true });
  try {
    // EXCLUSIVE before WAL: the lock is held until close, or until the kernel takes it from a killed process.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    database.exec('BEGIN EXCLUSIVE; COMMIT');
    migrate(database);
    return database;
  } catch (cause) {
    database.close();
    if (cause instanceof Fault) throw cause;
    const busy = cause instanceof Error && 'errcode' in cause && cause.errcode === 5;
    if (!busy) throw new Fault('STORE_UNREADABLE', `cannot open the store ${path}`, { cause });
    throw new Fault('STORE_IN_USE', `another control plane is using ${path}`, {
      cause,
      hint: 'stop it first, or give this one a data directory of its own',
    });
  }
}
