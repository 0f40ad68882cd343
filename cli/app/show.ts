import type { Run } from '#cli/edge.ts';
import { diffLines } from '#cli/policy/line-diff.ts';
import { printableLines } from '#cli/printable.ts';
import { isoTime } from '#cli/time-text.ts';
import { writeDocument } from '#runtime/documents.ts';
import { askRegistry } from './ask.ts';
import { findRegistration, keyOf, type ListedRegistration } from './find.ts';

/** `eastwest app show`: state, secrets, what is in force and what waits. */
export const run: Run = async (args, edge) => {
  const registration = await askRegistry(args, edge, (client, asking) =>
    findRegistration(args.positionals[0] ?? '', client, asking),
  );
  const text = args.flags.has('json') ? `${JSON.stringify(forScripts(registration))}\n` : textOf(registration);
  edge.stdout.write(printableLines(text));
  return 0;
};

function forScripts({ json, proposal, changedAtMs, secrets, ...rest }: ListedRegistration): object {
  return {
    ...rest,
    changedAt: isoTime(changedAtMs),
    secrets: secrets.map(({ madeAtMs, endsAtMs, ...secret }) => ({
      ...secret,
      madeAt: isoTime(madeAtMs),
      endsAt: endsAtMs === 0 ? null : isoTime(endsAtMs),
    })),
    inForce: json === '' ? null : (JSON.parse(json) as unknown),
    proposal: proposal === undefined ? null : proposalForScripts(proposal),
  };
}

function proposalForScripts({ json, by, atMs, widening }: NonNullable<ListedRegistration['proposal']>): object {
  return { by, at: isoTime(atMs), widening, document: JSON.parse(json) as unknown };
}

function textOf(registration: ListedRegistration): string {
  const { id, tenant, state, revision, registeredBy, approvedBy, changedAtMs, secrets, json } = registration;
  const lines = [
    keyOf(registration),
    `  id        ${id}`,
    `  tenant    ${tenant === '' ? '(global)' : tenant}`,
    `  state     ${state}, revision ${revision}, changed ${isoTime(changedAtMs)}`,
    `  by        ${registeredBy}${approvedBy === '' ? '' : `, in force by ${approvedBy}`}`,
    ...secrets.map((secret) => `  secret    ${secretText(secret)}`),
  ];
  const inForce = json === '' ? '' : `in force:\n${indented(json)}`;
  return `${lines.join('\n')}\n${inForce}${proposalText(registration)}`;
}

function secretText({ id, state, madeBy, madeAtMs, endsAtMs }: ListedRegistration['secrets'][number]): string {
  const ends = endsAtMs === 0 ? '' : `, ends ${isoTime(endsAtMs)}`;
  return `${id} ${state}, made by ${madeBy} ${isoTime(madeAtMs)}${ends}`;
}

/** What an approval would put into force; empty: nothing waits. */
export function proposalText({ json, proposal }: ListedRegistration): string {
  if (proposal === undefined) return '';
  const head = `proposed by ${proposal.by} ${isoTime(proposal.atMs)}:\n`;
  if (json === '') return `${head}${indented(proposal.json)}`;
  const widening = proposal.widening.map((each) => `  widens ${each}\n`).join('');
  const lines = diffLines(linesOf(json), linesOf(proposal.json));
  const isSame = lines.every((line) => line.startsWith('  '));
  return `${head}${widening}${isSame ? '  a new secret, the same document\n' : lines.map((line) => `  ${line}\n`).join('')}`;
}

function linesOf(json: string): string[] {
  return writeDocument(JSON.parse(json)).trimEnd().split('\n');
}

function indented(json: string): string {
  return linesOf(json)
    .map((line) => `  ${line}\n`)
    .join('');
}
