import { LineCounter, parseDocument } from 'yaml';
import { ok, refuse, type Result } from './result.ts';

export interface DocumentProblem {
  readonly problem: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/**
 * Reads one YAML 1.2 document (JSON is one too) into plain values. Duplicate keys, several documents, unknown tags and
 * aliases are problems: a file must say once, and in one place, what it means.
 */
export function readDocument(text: string): Result<unknown, DocumentProblem> {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.2', schema: 'core', lineCounter: lines, prettyErrors: false });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    return refuse({ problem: fault.message, line: Math.max(line, 1), column: Math.max(col, 1) });
  }
  try {
    return ok(document.toJS({ maxAliasCount: 0 }));
  } catch (cause) {
    return refuse({ problem: cause instanceof Error ? cause.message : String(cause), line: 1, column: 1 });
  }
}
