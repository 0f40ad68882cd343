import type { FileProblem, ReadDocuments } from '#policy/schema-issues.ts';
import { cutDocuments } from '#runtime/documents.ts';
import { refuse } from '#runtime/result.ts';

/** As it is written, with comments: it is read in one turn. */
const maxDocumentLength = 256 * 1024;
/** What takes about 10 ms to read. */
const lengthPerTurn = 10 * 1024;

/** Reads a file of documents; others have their turn every 10 ms or so. */
export async function readInTurns<T>(
  text: string,
  file: string,
  stepsOf: (text: string, file: string) => Generator<number, ReadDocuments<T>>,
): Promise<ReadDocuments<T>> {
  const tooLong = tooLongIn(text, file);
  if (tooLong !== undefined) return refuse([tooLong]);
  const steps = stepsOf(text, file);
  for (let length = lengthPerTurn; ;) {
    if (length >= lengthPerTurn) {
      length = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const step = steps.next();
    if (step.done === true) return step.value;
    length += step.value;
  }
}

function tooLongIn(text: string, file: string): FileProblem | undefined {
  for (const { text: piece, linesBefore } of cutDocuments(text)) {
    if (piece.length <= maxDocumentLength) continue;
    const problem = `is a document of ${piece.length} characters; ${maxDocumentLength} are allowed: write several`;
    return { file, line: linesBefore + 1, column: 1, path: '', problem };
  }
  return undefined;
}
