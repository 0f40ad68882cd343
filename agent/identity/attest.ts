import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Fault } from '#runtime/fault.ts';
import type { JoinTokenSource } from '#agent/config-types.ts';

/** Hands out the join token of this start. It stays in memory only until it was accepted. */
export interface JoinTokens {
  /** The token to show; undefined when there is none, or only one that was spent. Throws `JOIN_TOKEN_UNREADABLE`. */
  unspent(): Promise<string | undefined>;
  /** The control plane accepted it, or refused it for good: it is forgotten. */
  markSpent(): void;
}

const maxTokenBytes = 200;
const tokenForm = /^[\x21-\x7e]{1,200}$/;

/** How a person makes a new token and passes it on. */
export function joinTokenHint(workload: string): string {
  return (
    `make a new one with \`eastwest token create ${workload}\` and pass it on by the file that ` +
    'identity.controlPlane.joinToken.file names, or by standard input with joinToken: { stdin: true }, then start again'
  );
}

export function createJoinTokens(
  source: JoinTokenSource | undefined,
  { workload, stdin }: { readonly workload: string; readonly stdin: AsyncIterable<Uint8Array | string> },
): JoinTokens {
  let token: string | undefined;
  let spentDigest: string | undefined;

  async function read(): Promise<string> {
    const text = source?.kind === 'file' ? await readTokenFile(source.path) : await readFirstLine(stdin);
    const trimmed = text.trim();
    if (tokenForm.test(trimmed)) return trimmed;
    throw new Error(trimmed === '' ? 'it is empty' : 'it does not hold one line of printable characters');
  }

  /** A new one may lie in the file by now. */
  async function readAgain(path: string): Promise<string | undefined> {
    const found = (await readTokenFile(path).catch(() => '')).trim();
    return tokenForm.test(found) && digestOf(found) !== spentDigest ? found : undefined;
  }

  return {
    async unspent() {
      if (source === undefined || token !== undefined) return token;
      if (spentDigest !== undefined) {
        token = source.kind === 'file' ? await readAgain(source.path) : undefined;
        return token;
      }
      try {
        token = await read();
      } catch (cause) {
        const where = source.kind === 'file' ? source.path : 'standard input';
        throw new Fault('JOIN_TOKEN_UNREADABLE', `no join token in ${where}`, { cause, hint: joinTokenHint(workload) });
      }
      return token;
    },
    markSpent() {
      spentDigest = digestOf(token ?? '');
      token = undefined;
    },
  };
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

async function readTokenFile(path: string): Promise<string> {
  const bytes = await readFile(path);
  return bytes.subarray(0, maxTokenBytes + 2).toString('latin1');
}

/** Up to the first line feed or the end, at most as long as a token can be. */
async function readFirstLine(input: AsyncIterable<Uint8Array | string>): Promise<string> {
  let text = '';
  for await (const chunk of input) {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1');
    if (text.includes('\n') || text.length > maxTokenBytes) break;
  }
  return text.split('\n', 1)[0]!;
}
