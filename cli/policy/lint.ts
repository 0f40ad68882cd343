import { UsageError, type Edge, type Run } from '#cli/edge.ts';
import { readPolicyFiles } from '#cli/policy-files.ts';
import { allPrintable } from '#cli/printable.ts';
import { lintScopes, type LintFinding } from '#policy/lint/lint-scopes.ts';
import { UndescribedRoutes, type UndescribedRoute } from '#policy/lint/undescribed-routes.ts';
import type { PolicyDocument } from '#policy/model.ts';
import { columns } from './columns.ts';
import { plural } from './plural.ts';
import { readAccessLine } from './learn/access-lines.ts';
import { logSources, readLog } from './learn/log-files.ts';

const maxBytes = 16 * 1_048_576;
const shown = 200;

/** `eastwest policy lint`: scope templates that do not say what they stand for, and requests that none describes. */
export const run: Run = async (args, edge) => {
  const documents = readPolicyFiles(args.positionals, edge);
  const findings = lintScopes(documents);
  const logs = args.lists['access-log'] ?? [];
  const routes = logs.length === 0 ? [] : await undescribed(documents, logs, edge);
  edge.stdout.write(
    args.flags.has('json')
      ? `${JSON.stringify({ findings, routes })}\n`
      : textOf(allPrintable(findings), allPrintable(routes)),
  );
  return findings.length + routes.length === 0 ? 0 : 1;
};

/** The requests of these access logs that were admitted, and that no template describes. */
async function undescribed(
  documents: readonly PolicyDocument[],
  logs: readonly string[],
  edge: Edge,
): Promise<readonly UndescribedRoute[]> {
  const found = new UndescribedRoutes(documents, maxBytes);
  let lines = 0;
  let known = 0;
  for (const source of logSources(logs, edge)) {
    await readLog(source, edge, (line) => {
      if (line?.trim() === '') return;
      lines += 1;
      const reading = line === undefined ? undefined : readAccessLine(line);
      if (reading === undefined || reading.kind === 'no-access-line') return;
      known += 1;
      if (reading.kind === 'admitted') found.note(reading.call);
    });
  }
  if (lines > 0 && known === 0) {
    throw new UsageError(`none of ${lines} lines is of an access log`, 'name what `accessLog` of agent.yaml writes');
  }
  if (found.left > 0) edge.stderr.write(`${found.left} requests are not told: too many different ones\n`);
  return found.routes();
}

function textOf(findings: readonly LintFinding[], routes: readonly UndescribedRoute[]): string {
  const lines = findings.map(({ template, problem }) => `${template}: ${problem}\n`);
  const rows = routes.slice(0, shown).map(({ to, method, path, calls, isOpaque }) => {
    const why = isOpaque ? 'one path, many calls: what it is about (a query?) no scope can say' : '';
    return ['', to, method, path, String(calls), why];
  });
  const more = routes.length > shown ? `  and ${routes.length - shown} more (--json has all of them)\n` : '';
  const table = rows.length === 0 ? '' : `Requests that no scope template describes, and how many there were:\n`;
  const counted = `${plural(findings.length, 'problem')}, ${plural(routes.length, 'request')} without a template\n`;
  return `${lines.join('')}${table}${columns(rows)}${more}${counted}`;
}
