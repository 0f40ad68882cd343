import type { HeadLimits, HeadProblem, RequestHead } from '#agent/http/head.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { isGrpc, readGrpcCall, type GrpcCall } from './grpc.ts';
import { readRequestFields, type Ending } from './h2-head.ts';

/** A request's head with what else its fields say. */
export interface ReadHead {
  readonly fields: readonly HeaderField[];
  readonly ending: Ending;
  readonly head: RequestHead;
  /** Undefined where it is no call of gRPC. */
  readonly grpc: GrpcCall | undefined;
}

const maxEntries = 32;
/** Larger heads are read anew each time: a session's cache stays below 128 KiB. */
const maxChars = 4_096;

/**
 * Reads request heads, and gives the same object again for the same fields: callers repeat theirs call after call, and
 * whoever judges or writes them may keep what it found by the object. Bounded to a few heads per session.
 */
export class HeadCache {
  readonly #limits: HeadLimits;
  /** By path. */
  readonly #entries = new Map<string, ReadHead>();

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** The fields must not change afterwards. */
  read(fields: readonly HeaderField[], ending: Ending): ReadHead | HeadProblem {
    const path = pathOf(fields);
    const known = this.#entries.get(path);
    if (known !== undefined && known.ending === ending && isSame(known.fields, fields)) return known;
    const head = readRequestFields(fields, ending, this.#limits);
    if (typeof head === 'string') return head;
    const isCall = head.method === 'POST' && isGrpc(head.headers);
    const read = { fields, ending, head, grpc: isCall ? readGrpcCall(head.headers) : undefined };
    if (isSmall(fields)) this.#keep(path, read);
    return read;
  }

  #keep(path: string, read: ReadHead): void {
    if (this.#entries.size >= maxEntries && !this.#entries.has(path)) this.#entries.clear();
    this.#entries.set(path, read);
  }
}

function isSmall(fields: readonly HeaderField[]): boolean {
  let chars = 0;
  for (const { name, value } of fields) chars += name.length + value.length;
  return chars <= maxChars;
}

function pathOf(fields: readonly HeaderField[]): string {
  for (let at = 0; at < fields.length && at < 4; at += 1) {
    const { name, value } = fields[at]!;
    if (name.length === 5 && name === ':path') return value;
  }
  return '';
}

function isSame(left: readonly HeaderField[], right: readonly HeaderField[]): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at += 1) {
    const one = left[at]!;
    const other = right[at]!;
    if (one !== other && (one.name !== other.name || one.value !== other.value)) return false;
  }
  return true;
}
