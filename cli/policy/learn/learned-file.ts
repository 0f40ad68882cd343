import { learnedPolicies } from '#policy/learn/learned-policies.ts';
import { policyDocument } from '#policy/policy-yaml.ts';
import { writeDocument } from '#runtime/documents.ts';
import { callLines, leftOutLines, sourceText, toldCalls } from './findings.ts';
import type { LogLearner } from './log-learner.ts';

/** Documents as they are written, in order. */
export function learnedDocuments({ observations }: LogLearner): readonly unknown[] {
  return learnedPolicies(observations.workloads()).map(policyDocument);
}

/** The documents with comments that say from what they were learned, and what was left out. */
export function learnedFile(learner: LogLearner): string {
  const [left, refused] = [leftOutLines(learner), toldCalls(learner.refused.workloads())];
  const comments = [
    `Learned by \`eastwest policy learn\` from`,
    `${sourceText(learner)}.`,
    'What was not seen is not allowed by it: read it before `eastwest policy apply`. Streams are seen when they end. Lists',
    'in agent.yaml (`allow`) and mesh.yaml (`calls`) admit beside it: an ALLOW policy takes nothing from them.',
    ...(left.length === 0 ? [] : ['', 'Left out:', ...left]),
    ...(refused.length === 0 ? [] : ['', 'Refused for want of a rule, and not learned:', ...callLines(refused)]),
  ];
  const header = comments.map((line) => `${`# ${line}`.trimEnd()}\n`).join('');
  return header + learnedDocuments(learner).map(writeDocument).join('---\n');
}
