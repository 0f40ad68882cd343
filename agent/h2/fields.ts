import type { HeaderField } from '#agent/http/header-field.ts';
import { fieldKind, pseudoKinds } from './field-kind.ts';

/** A decoded field section, and the bits of `fieldKind` that its fields have. */
export interface FieldSection {
  readonly fields: readonly HeaderField[];
  /** Bits of at least one field. */
  readonly kinds: number;
  /** Bits of at least two. */
  readonly kindsTwice: number;
  /** A pseudo-header field stands after a regular one. */
  readonly hasLatePseudo: boolean;
}

/** Why a message is malformed (RFC 9113, section 8.1.1). */
export type FieldsProblem =
  | 'bad-field-name'
  | 'bad-field-value'
  | 'connection-specific-field'
  | 'late-pseudo-header'
  | 'duplicate-pseudo-header'
  | 'missing-pseudo-header'
  | 'unexpected-pseudo-header'
  | 'bad-path'
  | 'duplicate-content-length'
  | 'connect-refused';

const { method, scheme, authority, path, status, contentLength } = fieldKind;

/** Of a request's head (sections 8.3.1 and 8.5). */
export function requestProblem(section: FieldSection, connect: 'allow' | 'refuse'): FieldsProblem | undefined {
  const { kinds } = section;
  const problem = anyProblem(section);
  if (problem !== undefined) return problem;
  if ((kinds & status) !== 0) return 'unexpected-pseudo-header';
  if ((kinds & fieldKind.connect) !== 0) {
    if (connect === 'refuse') return 'connect-refused';
    if ((kinds & (scheme | path)) !== 0) return 'unexpected-pseudo-header';
    return (kinds & authority) === 0 ? 'missing-pseudo-header' : undefined;
  }
  if ((kinds & (method | scheme | path)) !== (method | scheme | path)) return 'missing-pseudo-header';
  if ((kinds & fieldKind.asterisk) !== 0 && (kinds & fieldKind.options) === 0) return 'bad-path';
  return undefined;
}

/** Of an answer's head, informational or final (section 8.3.2). */
export function responseProblem(section: FieldSection): FieldsProblem | undefined {
  const problem = anyProblem(section);
  if (problem !== undefined) return problem;
  if ((section.kinds & (pseudoKinds & ~status)) !== 0) return 'unexpected-pseudo-header';
  return (section.kinds & status) === 0 ? 'missing-pseudo-header' : undefined;
}

/** Of trailers (section 8.1). */
export function trailersProblem(section: FieldSection): FieldsProblem | undefined {
  return anyProblem(section) ?? ((section.kinds & pseudoKinds) === 0 ? undefined : 'unexpected-pseudo-header');
}

/** What `content-length` says, or -1 where it is absent. */
export function contentLengthOf({ kinds, fields }: FieldSection): number {
  if ((kinds & contentLength) === 0) return -1;
  return Number(fields.find(({ name }) => name === 'content-length')?.value);
}

const anyBad = fieldKind.badName | fieldKind.badValue | fieldKind.connectionSpecific;

function anyProblem({ kinds, kindsTwice, hasLatePseudo }: FieldSection): FieldsProblem | undefined {
  if ((kinds & anyBad) === 0 && (kindsTwice & (pseudoKinds | contentLength)) === 0 && !hasLatePseudo) return undefined;
  if ((kinds & fieldKind.badName) !== 0) return 'bad-field-name';
  if ((kinds & fieldKind.badValue) !== 0) return 'bad-field-value';
  if ((kinds & fieldKind.connectionSpecific) !== 0) return 'connection-specific-field';
  if (hasLatePseudo) return 'late-pseudo-header';
  return (kindsTwice & pseudoKinds) === 0 ? 'duplicate-content-length' : 'duplicate-pseudo-header';
}
