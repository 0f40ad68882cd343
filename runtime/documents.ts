import { LineCounter, isMap, isNode, isScalar, isSeq, parseAllDocuments, parseDocument, stringify, visit } from 'yaml';
import type { Document, Node } from 'yaml';
import { ok, refuse, type Result } from './result.ts';

export interface DocumentProblem extends Place {
  readonly problem: string;
}

/** Both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One of several documents in a text. */
export interface PlacedDocument {
  /** Plain values. */
  readonly value: unknown;
  /** Where a value stands, or of a mapping's member its name; of what is not there, the deepest that is. */
  readonly placeOf: (path: readonly (string | number)[]) => Place;
}

const form = { version: '1.2', schema: 'core', prettyErrors: false } as const;

/**
 * Reads one YAML 1.2 document (JSON is one too) into plain values. Duplicate keys, several documents, unknown tags and
 * aliases are problems: a file must say once, and in one place, what it means.
 */
export function readDocument(text: string): Result<unknown, DocumentProblem> {
  const lines = new LineCounter();
  const document = parseDocument(text, { ...form, lineCounter: lines });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) return refuse({ problem: fault.message, ...placeAt(lines, fault.pos[0]) });
  try {
    return ok(document.toJS({ maxAliasCount: 0 }));
  } catch (cause) {
    return refuse({ problem: cause instanceof Error ? cause.message : String(cause), line: 1, column: 1 });
  }
}

/** Some of a text's documents. */
export interface TextPiece {
  readonly text: string;
  /** How many lines stand before it. */
  readonly linesBefore: number;
}

/**
 * Cuts a text where documents begin, so that others may have a turn between two of them: reading takes a millisecond for
 * four small ones. A line of `---` and a blank stands in no document (YAML 1.2, production 206). A text with directives or
 * ends of documents stays whole.
 */
export function* cutDocuments(text: string): Generator<TextPiece> {
  const isSimple = !/^(?:%|\.\.\.)/m.test(text);
  const begins = isSimple ? Array.from(text.matchAll(/\n(?=---(?:\s|$))/g), ({ index }) => index + 1) : [];
  let at = 0;
  let linesBefore = 0;
  for (const end of [...begins, text.length]) {
    const piece = text.slice(at, end);
    at = end;
    if (piece === '') continue;
    yield { text: piece, linesBefore };
    linesBefore += piece.split('\n').length - 1;
  }
}

/**
 * Reads any number of YAML documents by the rules of `readDocument`; empty ones are left out. Refuses with every problem
 * of the syntax. Lines are counted on from `linesBefore`.
 */
export function readDocuments(
  text: string,
  linesBefore = 0,
): Result<readonly PlacedDocument[], readonly DocumentProblem[]> {
  const lines = new LineCounter();
  const placed = (offset: number): Place => {
    const { line, column } = placeAt(lines, offset);
    return { line: line + linesBefore, column };
  };
  // The library compares each key with all others of its mapping: minutes for a megabyte of them.
  const parsed = parseAllDocuments(text, { ...form, uniqueKeys: false, lineCounter: lines });
  const documents = Array.isArray(parsed) ? parsed : [];
  const problems = documents.flatMap((document) => [
    ...[...document.errors, ...document.warnings].map(({ message, pos }) => [inOurWords(message), pos[0]] as const),
    ...ambiguitiesIn(document),
  ]);
  if (problems.length > 0) {
    return refuse(problems.map(([problem, offset]) => ({ problem, ...placed(offset) })));
  }
  return ok(
    documents
      .filter(({ contents }) => contents !== null && !(isScalar(contents) && contents.value === null))
      .map((document) => ({
        value: document.toJS({ maxAliasCount: 0 }) as unknown,
        placeOf: (path) => placed(offsetOf(document.contents, path)),
      })),
  );
}

/** The library says what stopped it. */
function inOurWords(message: string): string {
  return /call stack/.test(message) ? 'is nested too deeply: no document needs that' : message;
}

/** Keys that are there twice or are no texts, and aliases, with their offsets. */
function ambiguitiesIn(document: Document): readonly (readonly [problem: string, offset: number])[] {
  const found: (readonly [string, number])[] = [];
  visit(document, {
    Alias: (_key, { range }) => {
      found.push(['is an alias: write the value itself, so that each place says what it means', range?.[0] ?? 0]);
    },
    Map: (_key, { items }) => {
      const names = new Set<string>();
      for (const { key } of items) {
        if (!isScalar(key)) {
          found.push(['is no key: write a name', isNode(key) ? (key.range?.[0] ?? 0) : 0]);
          continue;
        }
        const name = String(key.value);
        if (names.has(name)) found.push([`the key ${name} is there twice: keep one of them`, key.range?.[0] ?? 0]);
        names.add(name);
      }
    },
  });
  return found;
}

function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function offsetOf(contents: Node | null, path: readonly (string | number)[]): number {
  let node: unknown = contents;
  let offset = contents?.range?.[0] ?? 0;
  for (const part of path) {
    const next = memberOf(node, part);
    if (next === undefined) break;
    offset = next.offset ?? offset;
    node = next.value;
  }
  return offset;
}

function memberOf(
  node: unknown,
  part: string | number,
): { readonly value: unknown; readonly offset?: number | undefined } | undefined {
  if (isSeq<Node>(node)) {
    const item = typeof part === 'number' ? node.items[part] : undefined;
    return item && { value: item, offset: item.range?.[0] };
  }
  if (!isMap<Node>(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
  return pair && { value: pair.value, offset: pair.key.range?.[0] };
}

/** Plain values as YAML, as a person would write them. */
export function writeDocument(value: unknown): string {
  return stringify(value, { version: '1.2', schema: 'core', aliasDuplicateObjects: false });
}
