import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '#cli/arguments.ts';
import { closest } from '#runtime/closest.ts';
import { commands } from '#cli/commands.ts';
import { UsageError } from '#cli/edge.ts';
import { commandHelp, programHelp } from '#cli/help.ts';

describe('a command line', () => {
  test.each([
    ['up', 'up', {}],
    ['up mesh.yaml --for 60s --json', 'up', { positionals: ['mesh.yaml'], values: { for: '60s' }, flags: ['json'] }],
    ['up --for=60s', 'up', { values: { for: '60s' } }],
    ['token create prices --ttl 2m', 'token create', { positionals: ['prices'], values: { ttl: '2m' } }],
    ['cert show 127.0.0.1:15008', 'cert show', { positionals: ['127.0.0.1:15008'] }],
    ['agent --config agent.yaml', 'agent', { values: { config: 'agent.yaml' } }],
    [
      'explain --policies a --to p --policies b GET /',
      'explain',
      { positionals: ['GET', '/'], values: { to: 'p' }, lists: { policies: ['a', 'b'] } },
    ],
  ])('%s runs %s', (line, name, expected) => {
    const request = parseCommandLine(line.split(' '));
    if (request.kind !== 'run') throw new Error(request.kind);
    const { positionals, values, lists, flags } = request.args;
    expect(request.command.name).toBe(name);
    expect({ positionals, values, lists, flags: [...flags] }).toEqual({
      positionals: [],
      values: {},
      lists: {},
      flags: [],
      ...expected,
    });
  });

  test.each([
    ['', 'help'],
    ['--help', 'help'],
    ['help up', 'help'],
    ['up --help', 'help'],
    ['token create --help', 'help'],
    ['token --help', 'help'],
    ['help cert', 'help'],
    ['--version', 'version'],
  ])('%s asks for %s', (line, kind) => {
    expect(parseCommandLine(line.split(' ').filter(Boolean)).kind).toBe(kind);
  });

  test.each([
    ['upp', 'there is no command `upp`', 'did you mean `eastwest up`?'],
    ['controlplane', 'there is no command `controlplane`', 'did you mean `eastwest control-plane`?'],
    ['frobnicate', 'there is no command `frobnicate`', 'see `eastwest --help`'],
    ['token', '`token` needs a second word', 'try `eastwest token create`'],
    ['token crate', 'there is no command `token crate`', 'try `eastwest token create`'],
    ['up --jsonn', '`eastwest up` has no option --jsonn', 'did you mean --json?'],
    ['up --svid-life 10s', '`eastwest up` has no option --svid-life', 'see `eastwest up --help`'],
    ['up -j', '`eastwest up` has no option -j', 'did you mean --json?'],
    ['up --for', '--for needs a value', 'write --for TIME'],
    ['up --for --json', '--for needs a value', 'write --for TIME'],
    ['up --json=yes', '--json takes no value', 'write --json'],
    ['up --json --json', '--json is given twice', 'keep one of them'],
    ['up a.yaml b.yaml', '`eastwest up` does not know what to do with `b.yaml`', 'see `eastwest up --help`'],
    ['token create', 'WORKLOAD is missing', 'write `eastwest token create WORKLOAD`'],
  ])('%s is refused: %s', (line, message, hint) => {
    const error = caught(() => parseCommandLine(line.split(' ')));
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ message, hint });
  });
});

describe('the help', () => {
  test('of the program names every command, its purpose and an example of it', () => {
    for (const { name, summary, examples } of commands) {
      expect(programHelp()).toContain(`  ${name}`);
      expect(programHelp()).toContain(summary);
      expect(programHelp()).toContain(examples[0]?.[0]);
    }
  });

  test.each(commands.map((command) => [command.name, command] as const))(
    'of %s shows only what works',
    (_, command) => {
      const help = commandHelp(command);
      for (const option of Object.keys(command.options)) expect(help).toContain(`--${option}`);
      for (const [example] of command.examples) {
        const ours = example.split('|').findLast((part) => part.includes('eastwest ')) ?? '';
        const words = ours.split('>')[0]?.trim().split(' ').slice(1) ?? [];
        expect(parseCommandLine(words).kind).toBe('run');
        expect(help).toContain(example);
      }
    },
  );

  test.each(commands.map((command) => [command.name, command] as const))('%s can be loaded', async (_, command) => {
    expect((await command.load()).run).toBeTypeOf('function');
  });
});

describe('the closest name', () => {
  const names = ['up', 'agent', 'status', 'control-plane', 'cert show'];
  test.each([
    ['agnet', 'agent'],
    ['stauts', 'status'],
    ['controlplane', 'control-plane'],
    ['cert shwo', 'cert show'],
    ['contr', 'control-plane'],
    ['c', undefined],
    ['deploy', undefined],
    ['', undefined],
  ])('to "%s" is %s', (typed, expected) => {
    expect(closest(typed, names)).toBe(expected);
  });
});

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
