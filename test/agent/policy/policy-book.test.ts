import { describe, expect, test } from 'vitest';
import type { AgentEvent } from '#agent/events.ts';
import type { PolicySet } from '#agent/policy/part-gatherer.ts';
import { PolicyBook } from '#agent/policy/policy-book.ts';
import type { PoliciesPart } from '#proto/messages.ts';

const document = (name: string, json = JSON.stringify({ name })) => ({
  ...{ kind: 'AuthorizationPolicy', namespace: 'default', name, json },
});
const part = (revision: number, sinceRevision: number, more: Partial<PoliciesPart> = {}): PoliciesPart => ({
  ...{ revision, sinceRevision, part: 1, parts: 1, documents: [], gone: [] },
  ...more,
});

/** `doubt`: of sets that are in force all the same. */
function openBook(judge: (documents: readonly unknown[]) => string | undefined = () => undefined, doubt = '') {
  const sets: PolicySet[] = [];
  const kept: PolicySet[] = [];
  const events: AgentEvent[] = [];
  const book = new PolicyBook({
    onChange(documents, revision) {
      const problem = judge(documents);
      const isInForce = problem === undefined || problem === doubt;
      if (isInForce) sets.push({ revision, documents });
      return { isInForce, problem };
    },
    onApplied: (set) => void kept.push(set),
    emit: (event) => void events.push(event),
  });
  /** What is in force. */
  const inForce = () => {
    const set = sets.at(-1);
    return set && `${set.revision}: ${set.documents.map((each) => (each as { name: string }).name).join(' ')}`;
  };
  return { book, sets, kept, events, inForce };
}

test('parts of a revision come into force together, as one frozen set, and then what differs from it', () => {
  const { book, sets, kept, events, inForce } = openBook();
  const take = book.openStream();
  expect(take(part(3, 0, { parts: 2, documents: [document('a'), document('b')] }))).toBe('');
  expect(inForce()).toBeUndefined();
  expect(take(part(3, 0, { part: 2, parts: 2, documents: [document('c')] }))).toBe('');
  expect(inForce()).toBe('3: a b c');
  expect(take(part(4, 3, { documents: [document('d')], gone: [document('b')] }))).toBe('');
  expect(inForce()).toBe('4: a c d');
  expect(Object.isFrozen(sets[1]?.documents)).toBe(true);
  expect(sets[1]?.documents[0]).toBe(sets[0]?.documents[0]); // not read again
  expect(kept).toEqual(sets);
  expect(events.at(-1)).toEqual({ event: 'policies.applied', revision: 4, documents: 3 });
});

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_none, index) => document(`p${from + index}`, '{}'));
const huge = JSON.stringify({ text: 'x'.repeat(8 * 1024 * 1024) });

test('a mesh that is full, and whose documents all go and come anew in one revision, is in force', () => {
  const { book, sets } = openBook();
  const take = book.openStream();
  expect(take(part(1, 0, { documents: numbered(0, 20_000) }))).toBe('');
  expect(take(part(2, 1, { gone: numbered(0, 20_000), documents: numbered(20_000, 40_000) }))).toBe('');
  expect(sets.map(({ documents }) => documents.length)).toEqual([20_000, 20_000]);
});

test('parts without end are refused as soon as there are more than a mesh may have', () => {
  const { book, sets } = openBook();
  const take = book.openStream();
  const answers = Array.from({ length: 100 }, (_none, index) =>
    take(part(1, 0, { part: index + 1, parts: 101, documents: numbered(index * 1_000, (index + 1) * 1_000) })),
  );
  expect(answers.findIndex((answer) => answer === 'policies-too-many')).toBe(40);
  expect(answers.slice(41).every((answer) => answer === 'policies-incomplete')).toBe(true);
  expect(sets).toEqual([]);
  expect(take(part(2, 0, { documents: [document('a')] }))).toBe('');
});

describe('the last good set stays', () => {
  const whole = part(1, 0, { documents: [document('a')] });
  test.each([
    ['a document is no JSON', part(2, 1, { documents: [document('b', '{')] }), 'policies-unreadable'],
    ['a document is no object', part(2, 1, { documents: [document('b', '7')] }), 'policies-unreadable'],
    ['a part is missing', part(2, 1, { part: 2, parts: 2 }), 'policies-incomplete'],
    ['a revision in between is missing', part(3, 2), 'policies-incomplete'],
    ['there are more than a mesh may have', part(2, 1, { documents: numbered(0, 20_000) }), 'policies-too-many'],
    ['there are more characters than that', part(2, 1, { documents: [document('b', huge)] }), 'policies-too-many'],
    ['it cannot be put into force', part(2, 1, { documents: [document('bad')] }), 'bad is bad'],
  ])('when %s; the whole set mends it', (_name, broken, problem) => {
    const { book, inForce, kept, events } = openBook((all) =>
      all.some((each) => (each as { name: string }).name === 'bad') ? 'bad is bad' : undefined,
    );
    const take = book.openStream();
    take(whole);
    expect(take(broken)).toBe(problem);
    expect(inForce()).toBe('1: a');
    expect(kept).toHaveLength(1);
    expect(events.at(-1)).toEqual({ event: 'policies.refused', revision: broken.revision, problem });
    expect(take(part(4, 0, { documents: [document('c')] }))).toBe('');
    expect(inForce()).toBe('4: c');
  });

  test('when one part could not be read, the parts after it do not count either', () => {
    const { book, inForce } = openBook();
    const take = book.openStream();
    take(whole);
    expect(take(part(2, 1, { parts: 3, documents: [document('b', '{')] }))).toBe('policies-unreadable');
    expect(take(part(2, 1, { part: 2, parts: 3 }))).toBe('policies-incomplete');
    expect(take(part(2, 1, { part: 3, parts: 3 }))).toBe('policies-incomplete');
    expect(inForce()).toBe('1: a');
  });
});

test('what cannot be judged in a set is told, and the rest of it is in force, kept, and followed by what comes', () => {
  const { book, inForce, kept, events } = openBook(() => 'a contradicts b', 'a contradicts b');
  const old = book.openStream();
  const take = book.openStream();
  expect(take(part(1, 0, { documents: [document('a'), document('b')] }))).toBe('a contradicts b');
  expect(take(part(2, 1, { documents: [document('deny')] }))).toBe('a contradicts b');
  expect(inForce()).toBe('2: a b deny');
  expect(kept.map(({ revision }) => revision)).toEqual([1, 2]);
  expect(events.at(-1)).toEqual({ event: 'policies.refused', revision: 2, problem: 'a contradicts b' });
  expect(old(part(3, 0, { documents: [document('late')] }))).toBe('');
  expect(inForce()).toBe('2: a b deny');
});

describe('two streams, while an SVID rotates', () => {
  test('do not mix: the newer one is heard once it has told its set', () => {
    const { book, inForce } = openBook();
    const old = book.openStream();
    old(part(1, 0, { documents: [document('a')] }));
    const young = book.openStream();
    young(part(3, 0, { parts: 2, documents: [document('b')] }));
    expect(old(part(2, 1, { documents: [document('c')] }))).toBe('');
    expect(inForce()).toBe('2: a c');
    young(part(3, 0, { part: 2, parts: 2 }));
    expect(inForce()).toBe('3: b');
    expect(old(part(3, 2, { documents: [document('late')] }))).toBe('');
    expect(inForce()).toBe('3: b');
  });
});

describe('a set of an earlier run', () => {
  const earlier: PolicySet = { revision: 9, documents: [{ name: 'kept' }] };

  test('is in force until the control plane speaks, also when that counts lower', () => {
    const { book, inForce, kept, events } = openBook();
    book.resume(earlier);
    expect(inForce()).toBe('9: kept');
    expect(events).toEqual([{ event: 'policies.resumed', revision: 9, documents: 1 }]);
    book.openStream()(part(2, 0, { documents: [document('a')] }));
    expect(inForce()).toBe('2: a');
    expect(kept).toHaveLength(1);
  });

  test('does not come back once the control plane has spoken', () => {
    const { book, inForce } = openBook();
    book.openStream()(part(2, 0));
    book.resume(earlier);
    expect(inForce()).toBe('2: ');
  });

  test('that cannot be put into force is told', () => {
    const { book, events } = openBook(() => 'of another time');
    book.resume(earlier);
    expect(events).toEqual([{ event: 'policies.refused', revision: 9, problem: 'of another time' }]);
  });
});
