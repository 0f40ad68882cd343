import { parseArgs } from 'node:util';
import type { Command } from './command.ts';
import { commands } from './commands.ts';
import { UsageError, type Arguments } from './edge.ts';
import { closest } from '#runtime/closest.ts';

/** What the command line asks for. */
export type Request =
  | { readonly kind: 'help'; readonly commands: readonly Command[] }
  | { readonly kind: 'version' }
  | { readonly kind: 'run'; readonly command: Command; readonly args: Arguments };

/** Reads everything after `eastwest`. Throws `UsageError` naming the closest thing that exists. */
export function parseCommandLine(words: readonly string[]): Request {
  const [first] = words;
  if (first === undefined || first === '--help' || first === '-h') return { kind: 'help', commands: [] };
  if (first === '--version' || first === '-v') return { kind: 'version' };
  if (first === 'help') {
    const rest = words.slice(1);
    return { kind: 'help', commands: rest.length === 0 ? [] : helpSubject(rest) };
  }
  const second = words[1];
  if (second === '--help' || second === '-h') return { kind: 'help', commands: helpSubject([first]) };
  const { command, rest } = findCommand(words);
  if (rest.includes('--help') || rest.includes('-h')) return { kind: 'help', commands: [command] };
  return { kind: 'run', command, args: parseCommandArguments(command, rest) };
}

/** `token` alone means every command that begins so. */
function helpSubject(words: readonly string[]): readonly Command[] {
  const group = commands.filter((command) => words.length === 1 && command.name.startsWith(`${words[0]} `));
  return group.length > 0 ? group : [findCommand(words).command];
}

/** The command that `words` begin with, and what follows its name. */
function findCommand(words: readonly string[]): { command: Command; rest: readonly string[] } {
  for (const command of commands) {
    const name = command.name.split(' ');
    if (name.every((word, i) => words[i] === word)) return { command, rest: words.slice(name.length) };
  }
  const wordsOfName = words.filter((word) => !word.startsWith('-')).slice(0, 2);
  const group = commands.filter((command) => command.name.startsWith(`${words[0]} `));
  if (group.length > 0) {
    const wanted = wordsOfName.join(' ');
    const problem = wordsOfName.length < 2 ? `\`${wanted}\` needs a second word` : `there is no command \`${wanted}\``;
    throw new UsageError(problem, `try \`eastwest ${group.map((command) => command.name).join('` or `eastwest ')}\``);
  }
  const names = commands.map((command) => command.name);
  const near = closest(wordsOfName.join(' '), names) ?? closest(words[0] ?? '', names);
  throw new UsageError(
    `there is no command \`${words[0]}\``,
    near === undefined ? 'see `eastwest --help`' : `did you mean \`eastwest ${near}\`?`,
  );
}

function parseCommandArguments(command: Command, words: readonly string[]): Arguments {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, option]) => [
      name,
      { type: option.value === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { tokens } = parseArgs({ args: [...words], options, allowPositionals: true, strict: false, tokens: true });
  const positionals: string[] = [];
  const values: Record<string, string> = {};
  const lists: Record<string, string[]> = {};
  const flags = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const option = command.options[token.name];
    if (option === undefined || !token.rawName.startsWith('--')) throw unknownOption(command, token.rawName);
    if (values[token.name] !== undefined || flags.has(token.name)) {
      throw new UsageError(`--${token.name} is given twice`, 'keep one of them');
    }
    if (option.value === undefined) {
      if (token.value !== undefined) throw new UsageError(`--${token.name} takes no value`, `write --${token.name}`);
      flags.add(token.name);
    } else {
      const value = optionValue(token.name, option.value, token.value);
      if (option.isList) (lists[token.name] ??= []).push(value);
      else values[token.name] = value;
    }
  }
  checkPositionals(command, positionals);
  return { positionals, values, lists, flags };
}

function optionValue(name: string, form: string, value: string | undefined): string {
  const looksLikeOption = value?.startsWith('--') ?? false;
  if (value !== undefined && value !== '' && !looksLikeOption) return value;
  throw new UsageError(`--${name} needs a value`, `write --${name} ${form}`);
}

function unknownOption(command: Command, rawName: string): UsageError {
  const near = closest(rawName.replace(/^-+/, ''), Object.keys(command.options));
  const hint = near === undefined ? `see \`eastwest ${command.name} --help\`` : `did you mean --${near}?`;
  return new UsageError(`\`eastwest ${command.name}\` has no option ${rawName}`, hint);
}

function checkPositionals(command: Command, given: readonly string[]): void {
  const needed = command.positionals.filter((name) => !name.startsWith('['));
  const missing = needed[given.length];
  if (missing !== undefined) {
    throw new UsageError(`${missing} is missing`, `write \`eastwest ${command.name} ${needed.join(' ')}\``);
  }
  if (command.positionals.at(-1)?.endsWith('…') === true) return; // as many as one likes
  const extra = given[command.positionals.length];
  if (extra !== undefined) {
    throw new UsageError(
      `\`eastwest ${command.name}\` does not know what to do with \`${extra}\``,
      `see \`eastwest ${command.name} --help\``,
    );
  }
}
