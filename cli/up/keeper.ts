import { spawn } from 'node:child_process';

/**
 * Makes sure that nothing outlives us, even when we end by SIGKILL: a tiny shell that knows every process group we
 * started and, when our end of its input closes, ends those that are left.
 */
export interface Keeper {
  watch(pid: number): void;
  forget(pid: number): void;
  /** All is stopped: the keeper ends by itself. */
  close(): void;
}

const script = `
trap '' INT TERM HUP
groups=''
while read -r sign group; do
  left=''
  for known in $groups; do [ "$known" = "$group" ] || left="$left $known"; done
  groups="$left"
  [ "$sign" = + ] && groups="$groups $group"
done
[ -z "$groups" ] && exit 0
for group in $groups; do kill -s TERM -- "-$group"; done
sleep 2
for group in $groups; do kill -s KILL -- "-$group"; done
`;

/** One shell of about 1 MB; started anew, with everything it must know, if somebody ends it. */
export function startKeeper(env: Readonly<Record<string, string>>): Keeper {
  const groups = new Set<number>();
  let phase: 'open' | 'closed' = 'open';
  const start = () => {
    const shell = spawn('/bin/sh', ['-c', script], { env, detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    shell.stdin.on('error', () => undefined); // gone: `exit` starts the next one
    shell.once('error', () => undefined); // no /bin/sh here: then only a clean end stops the children
    shell.once('exit', () => {
      if (phase === 'open') current = start();
    });
    for (const pid of groups) shell.stdin.write(`+ ${pid}\n`);
    return shell;
  };
  let current = start();
  return {
    watch(pid) {
      groups.add(pid);
      current.stdin.write(`+ ${pid}\n`);
    },
    forget(pid) {
      groups.delete(pid);
      current.stdin.write(`- ${pid}\n`);
    },
    close() {
      phase = 'closed';
      current.stdin.end();
    },
  };
}
