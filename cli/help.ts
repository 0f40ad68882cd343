import type { Command } from './command.ts';
import { commands } from './commands.ts';

/** `eastwest --help`. */
export function programHelp(): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  return [
    'Eastwest: mTLS between unmodified services, with certificates that rotate under load.',
    '',
    'Usage: eastwest COMMAND [options]',
    '',
    'Commands:',
    ...commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`),
    '',
    'Examples:',
    ...exampleLines(commands.flatMap((command) => command.examples.slice(0, 1))),
    '',
    'More about one command: eastwest COMMAND --help. Version: eastwest --version.',
    '',
  ].join('\n');
}

/** `eastwest <command> --help`. */
export function commandHelp(command: Command): string {
  const options = Object.entries(command.options).map(
    ([name, { value, isList, help }]) =>
      [`--${name}${value === undefined ? '' : ` ${value}`}${isList ? ' …' : ''}`, help] as const,
  );
  const width = Math.max(0, ...options.map(([form]) => form.length));
  const usage = ['eastwest', command.name, ...command.positionals, ...(options.length > 0 ? ['[options]'] : [])];
  return [
    `${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`,
    '',
    `Usage: ${usage.join(' ')}`,
    '',
    ...(options.length > 0
      ? ['Options:', ...options.map(([form, help]) => `  ${form.padEnd(width)}  ${help}`), '']
      : []),
    'Examples:',
    ...exampleLines(command.examples),
    ...(command.notes === undefined ? [] : ['', 'Notes:', ...command.notes.map((line) => `  ${line}`)]),
    '',
  ].join('\n');
}

function exampleLines(examples: Command['examples']): string[] {
  return examples.flatMap(([command, meaning]) => [`  # ${meaning}`, `  ${command}`]);
}
