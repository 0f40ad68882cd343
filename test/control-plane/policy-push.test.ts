import { describe, expect, test } from 'vitest';
import { createPolicyFeed } from '#control-plane/discovery/policy-feed.ts';
import { createPolicyPush } from '#control-plane/discovery/policy-push.ts';
import { gather } from '#control-plane/discovery/throttle.ts';
import type { StoredPolicy } from '#control-plane/store/store.ts';
import type { PoliciesPart } from '#proto/messages.ts';
import { createFakeClock } from '#support/fake-clock.ts';

const startMs = 1_700_000_000_000;

function stage() {
  const clock = createFakeClock(startMs);
  const feed = createPolicyFeed([], 0);
  const sent: (PoliciesPart & { version: number })[] = [];
  let version = 0;
  const send = (): void => {
    for (const part of push.due(() => version + 1)) sent.push({ ...part, version: (version += 1) });
  };
  const push = createPolicyPush({ feed, namespace: 'default', clock, onDue: send });
  const change = (name: string, { namespace = 'default', json = '{}' } = {}): void => {
    const revision = feed.revision() + 1;
    const policy: StoredPolicy = { kind: 'AuthorizationPolicy', namespace, name, json, revision, source: '' };
    feed.take({ revision, changed: [policy], gone: [] });
    send();
  };
  /** Answers what was sent last. */
  const answer = (problem = ''): void => push.acknowledge(version, problem);
  const names = (index: number): (string | undefined)[] => sent.at(index)?.documents.map(({ name }) => name) ?? [];
  return { clock, sent, send, push, change, answer, names };
}

test('nothing more is sent until the agent has answered; then what is newest, in one', () => {
  const { send, sent, change, answer, names, push } = stage();
  send();
  expect(sent).toMatchObject([{ revision: 0, sinceRevision: 0, part: 1, parts: 1, documents: [] }]);
  for (const name of ['a', 'b', 'a', 'c']) change(name);
  expect(sent).toHaveLength(1);
  answer();
  expect(sent).toHaveLength(2);
  expect(sent.at(-1)).toMatchObject({ revision: 4, sinceRevision: 0 });
  expect(names(-1)).toEqual(['b', 'a', 'c']);
  answer();
  change('d');
  expect(sent.at(-1)).toMatchObject({ revision: 5, sinceRevision: 4 });
  expect(names(-1)).toEqual(['d']);
  answer();
  expect(push.state()).toMatchObject({ isCurrent: true, revision: 5, problem: '' });
});

test('a change that concerns others only is not sent, and leaves the agent current', () => {
  const { send, sent, change, answer, push } = stage();
  send();
  answer();
  change('a', { namespace: 'shop' });
  expect(sent).toHaveLength(1);
  expect(push.state()).toMatchObject({ isCurrent: true, revision: 1 });
});

describe('an agent that is behind', () => {
  test('is so since it first lacked something', async () => {
    const { clock, send, change, answer, push } = stage();
    send();
    answer();
    await clock.advance(1_000);
    change('a');
    await clock.advance(1_000);
    change('b');
    expect(push.state()).toEqual({ isCurrent: false, revision: 0, behindSinceMs: startMs + 1_000, problem: '' });
  });

  test('because it refuses says why; the next revision comes whole, and not at once', async () => {
    const { clock, send, sent, change, answer, names, push } = stage();
    send();
    answer();
    change('a');
    answer('rules[0]: no');
    expect(push.state()).toMatchObject({ isCurrent: false, revision: 0, problem: 'rules[0]: no' });
    change('b');
    expect(sent).toHaveLength(2);
    await clock.advance(250);
    expect(sent.at(-1)).toMatchObject({ revision: 2, sinceRevision: 0 });
    expect(names(-1)).toEqual(['a', 'b']);
    answer();
    expect(push.state()).toMatchObject({ isCurrent: true, revision: 2, problem: '' });
    expect(clock.waiting()).toBe(0);
  });

  test('because it could not even read a part is sent the whole set next, whatever it says of the last part', async () => {
    const { clock, send, sent, change, push } = stage();
    send();
    push.acknowledge(1, '');
    for (const name of ['a', 'b', 'c']) change(name, { json: JSON.stringify('x'.repeat(120_000)) });
    expect(sent).toHaveLength(2); // a alone, which is in flight
    push.acknowledge(2, '');
    expect(sent.slice(2).map(({ part, parts }) => `${part}/${parts}`)).toEqual(['1/2', '2/2']);
    push.acknowledge(3, 'malformed');
    push.acknowledge(4, '');
    expect(push.state()).toMatchObject({ isCurrent: false, revision: 1, problem: 'malformed' });
    change('d');
    await clock.advance(250);
    expect(sent.at(-1)).toMatchObject({ revision: 4, sinceRevision: 0 });
  });

  test('because it is of an older version, which knows no policies, is left alone', async () => {
    const { clock, send, sent, change, answer, push } = stage();
    send();
    answer('unknown-kind');
    change('a');
    await clock.advance(10_000);
    expect(sent).toHaveLength(1);
    expect(push.state()).toMatchObject({ isCurrent: false, problem: 'unknown-kind' });
  });
});

test('changes within 20 ms are one push', async () => {
  const clock = createFakeClock(0);
  let pushes = 0;
  const changed = gather(() => (pushes += 1), 20, clock);
  for (let ms = 0; ms < 1_000; ms += 10) {
    changed();
    await clock.advance(10);
  }
  expect(pushes).toBeLessThanOrEqual(50);
  await clock.advance(20);
  expect(clock.waiting()).toBe(0);
});
