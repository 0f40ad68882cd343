import type { PolicyEdit } from './edits.ts';
import type { DenyListing, Explanation, FailedPredicate, PolicyFinding, RuleFinding } from './explain.ts';
import type { DryRun } from './model.ts';
import { scheme } from './patterns.ts';
import { operationValue, policyDocument, sourceValue, yamlLines, type Plain } from './policy-yaml.ts';
import type { Suggestion } from './suggest.ts';

const columns = 100;

/** An explanation for people: plain text, no line wider than 100 columns, an edit that can be pasted at the end. */
export function explanationText(explanation: Explanation): string {
  const { suggestion } = explanation;
  return [
    ...verdictLines(explanation),
    '',
    ...policyLines(explanation),
    ...denyListLines(explanation),
    ...(suggestion === undefined ? [] : ['', ...suggestionLines(explanation, suggestion)]),
    '',
  ].join('\n');
}

/** Who asked for what, and what was said to it: the first lines of an explanation. */
export function verdictLines(explanation: Explanation): readonly string[] {
  const { verdict, caller, workload, port, request } = explanation;
  const what = request === undefined ? 'an opaque call' : `${request.method} ${request.path}`;
  return [
    ...wrapped(`${verdict === 'allow' ? 'allowed' : 'refused'}: ${what}`, '  '),
    ...wrapped(`  from  ${caller ?? 'a caller without an identity'}`, '        '),
    ...wrapped(`  to    ${workload}, port ${port}${request === undefined ? '' : `, host ${request.host}`}`, '        '),
    ...whyLines(explanation).flatMap((line, index) =>
      wrapped(`  ${index === 0 ? 'why ' : 'also'}  ${line}`, '        '),
    ),
  ];
}

function whyLines(explanation: Explanation): string[] {
  const { request, judgedPath, denyLists, isTurnedAway, port } = explanation;
  const isBare = request !== undefined && judgedPath !== request.path;
  const bare = `paths are judged without their parameters too: ${judgedPath}`;
  const strict = `port ${port} is STRICT by these documents: plaintext callers are turned away, unless only its agent.yaml says otherwise`;
  return [
    ...denyLists.map(denyListText),
    reasonText(explanation),
    ...(isBare ? [bare] : []),
    ...(isTurnedAway ? [strict] : []),
  ];
}

function reasonText({ decision, policies, workload, defaultAllow }: Explanation): string {
  if (decision.allow) return `${decision.rule} allows it`;
  if (decision.reason === 'denied-by-rule') return `${decision.rule} denies it`;
  if (defaultAllow !== undefined) return `${defaultAllow} is for callers of the workload's trust domain alone`;
  const allowing = policies.filter(({ action }) => action === 'ALLOW').length;
  if (allowing === 0) return `no ALLOW policy selects ${workload}: what nobody allows is refused`;
  return `no rule of the ${allowing === 1 ? 'ALLOW policy' : `${allowing} ALLOW policies`} for ${workload} matches`;
}

function denyListText({ list, reason, expiresAtMs }: DenyListing): string {
  // oxlint-disable-next-line no-restricted-globals -- a conversion: it reads no clock
  const until = expiresAtMs === undefined ? '' : ` until ${new Date(expiresAtMs).toISOString()}`;
  return `the deny list ${list} shuts the caller out${until}, whatever rules say: ${reason}`;
}

function policyLines({ policies, notSelected, decision, workload, request }: Explanation): string[] {
  const order = ['DENY', 'ALLOW', 'AUDIT'] as const;
  const asked = order.flatMap((action) => policies.filter((each) => each.action === action));
  return [
    ...wrapped(asked.length === 0 ? `No policy selects ${workload}.` : `Policies that select ${workload}:`, ''),
    ...asked.flatMap((each) => findingLines(each, request === undefined)),
    ...(notSelected.length === 0 ? [] : ['', 'Policies that do not:']),
    ...notSelected.flatMap(({ policy, why }) => wrapped(`  ${policy}: ${why}`, '    ')),
    ...decision.dryRun.flatMap((each) => wrapped(`Dry run: ${dryRunText(each)}`, '')),
  ];
}

function dryRunText({ verdict, rule }: DryRun): string {
  if (rule.includes(' ')) return `${rule} ${verdict} it, counts for nothing.`;
  return `${rule} ${verdict} it, for none of its rules matches; counts for nothing.`;
}

function findingLines({ policy, action, rules }: PolicyFinding, isOpaque: boolean): string[] {
  const remark = action === 'AUDIT' ? ' (is noted, decides nothing)' : '';
  const empty = rules.length === 0 ? ': no rules, so it matches nothing' : '';
  const matching = rules.filter(({ failed }) => failed.length === 0);
  const others = new Set(rules.filter(({ failed }) => failed.length > 0).slice(0, shownFailures));
  const left = rules.length - matching.length - others.size;
  return [
    ...wrapped(`  ${action} ${policy}${remark}${empty}`, '    '),
    ...rules
      .filter((rule) => rule.failed.length === 0 || others.has(rule))
      .flatMap((rule) => ruleLines(rule, isOpaque)),
    ...(left === 0 ? [] : [`    and ${left} more that do not match (--json has all of them)`]),
  ];
}

/** Of one policy. */
const shownFailures = 20;
const shownValues = 5;

function ruleLines({ path, isDryRun, failed, untold }: RuleFinding, isOpaque: boolean): string[] {
  const trial = isDryRun ? ' (dry run, counts for nothing)' : '';
  if (failed.length === 0) {
    const doubt = untold.map(
      (each) => `      ${each} cannot be told of ${isOpaque ? 'an opaque call' : 'the token'}, and counts as met`,
    );
    return [`    ${path}${trial}: matches`, ...doubt.flatMap((line) => wrapped(line, '        '))];
  }
  return [
    `    ${path}${trial}: does not match`,
    ...failed.slice(0, shownValues).flatMap(failureLines),
    ...(failed.length > shownValues ? [`      and ${failed.length - shownValues} more alternatives`] : []),
  ];
}

function failureLines({ path, about, wants, values, has }: FailedPredicate): string[] {
  const shown = values.slice(0, shownValues);
  const more = values.length > shown.length ? `, … (${values.length} in all)` : '';
  return [
    ...wrapped(`      ${path}${about === undefined ? '' : ` of ${about}`}`, '        '),
    ...wrapped(`        wants ${wants === 'one-of' ? '' : 'none of '}${shown.join(', ')}${more}`, '          '),
    ...wrapped(`        has   ${has.length === 0 ? 'nothing of that kind' : has.join(', ')}`, '          '),
  ];
}

/** What no edit of a rule mends. */
function denyListLines({ denyLists }: Explanation): string[] {
  if (denyLists.length === 0) return [];
  const lists = [...new Set(denyLists.map(({ list }) => list))].join(' and ');
  return [
    '',
    ...wrapped(`Only without the deny list is it allowed: take the entry out of ${lists}, or let it expire.`, ''),
  ];
}

function suggestionLines(explanation: Explanation, suggestion: Suggestion): string[] {
  if (!suggestion.possible) {
    return wrapped(`No edit is suggested: ${impossible[suggestion.why]}.`, '');
  }
  const { edits } = suggestion;
  const allows = explanation.denyLists.length === 0 ? 'allows it' : 'allows it then';
  return [
    edits.length === 1
      ? `The smallest edit that ${allows}:`
      : `The smallest edit that ${allows} has ${edits.length} parts:`,
    ...edits.flatMap((edit) => ['', ...editLines(edit)]),
    '',
    ...wrapped(openedText(explanation, suggestion), ''),
  ];
}

const impossible = {
  'open-to-own-domain':
    'a policy that allows it would replace the default by which others are let in; write one that names all who may call',
  'another-token':
    'the rules ask for an access token that says something else: the caller needs one with what they name',
  'caller-without-identity': 'the caller proved no identity, so that what lets it in would let anybody in',
  'no-exact-value': 'the call has something that a policy cannot name exactly (`*`, `{` or `}` in its method or path)',
} as const;

/** Where to change, and the lines to paste there. */
function editLines(edit: PolicyEdit): string[] {
  const [place, pasted] = pastedAt(edit);
  return [...wrapped(place, '  '), '', ...yamlLines(pasted, columns - 4).map((line) => `    ${line}`)];
}

function pastedAt(edit: PolicyEdit): readonly [place: string, pasted: Plain] {
  if (edit.kind === 'add-policy') return [`Add the policy ${edit.policy}:`, policyDocument(edit.value)];
  const { policy, path } = edit;
  const items = [itemOf(edit)];
  if (edit.kind === 'remove-value') return [`In ${policy}, remove from the list ${path}:`, items];
  if (!edit.isNewList) return [`In ${policy}, add to the list ${path}:`, items];
  const end = path.lastIndexOf('.');
  return [`In ${policy}, add to ${path.slice(0, end)}:`, { [path.slice(end + 1)]: items }];
}

function itemOf(edit: Exclude<PolicyEdit, { kind: 'add-policy' }>): Plain {
  if (edit.kind === 'add-source') return sourceValue(edit.value);
  return edit.kind === 'add-operation' ? operationValue(edit.value) : edit.value;
}

function openedText(explanation: Explanation, { edits, alsoFor }: Extract<Suggestion, { possible: true }>): string {
  const sentences = new Set(edits.map((edit) => openedBy(edit, explanation)));
  const others = alsoFor.length === 0 ? '' : ` The rule names ${alsoFor.join(', ')} too: they get the same.`;
  return `${[...sentences].join(' ')}${others}`;
}

/** What else is open after an edit, in one sentence. */
function openedBy(edit: PolicyEdit, explanation: Explanation): string {
  const { caller, port, workload, policies } = explanation;
  const callText = requestText(explanation);
  if (edit.kind === 'add-policy') return `It lets ${caller} ${callText} port ${port} of ${workload}, and nothing else.`;
  const { action, scope, rules = [] } = policies.find(({ policy }) => policy === edit.policy) ?? {};
  const rule = rules.find(({ path }) => edit.path.startsWith(`spec.${path}.`))?.rule;
  const where = scope === 'labels' ? '' : ` on every workload of the ${scope}`;
  if (action === 'DENY') return `It exempts ${caller} from all that ${rule} denies${where}.`;
  if (edit.kind === 'add-operation') return `It lets ${caller} ${callText} port ${port}, by ${rule}${where}.`;
  const isOfCaller = edit.kind === 'add-source' || `${scheme}${edit.value}` === caller;
  if (isOfCaller) return `It lets ${caller} do all that ${rule} allows${where}.`;
  if (edit.kind === 'remove-value') return `It lets ${caller} ask for ${edit.value}, which ${rule} excludes${where}.`;
  return `It adds ${edit.value} to what ${rule} lets ${caller} ask for${where}.`;
}

function requestText({ request, judgedPath }: Explanation): string {
  return request === undefined ? 'use' : `call ${request.method} ${judgedPath} on`;
}

/** Lines of at most 100 columns; a word that is wider is cut. Further lines begin with `indent`. */
function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > columns) {
    const space = rest.lastIndexOf(' ', columns);
    const at = space > indent.length && rest.slice(0, space).trim() !== '' ? space : columns;
    lines.push(rest.slice(0, at));
    rest = indent + rest.slice(at).trimStart();
  }
  return [...lines, rest];
}
