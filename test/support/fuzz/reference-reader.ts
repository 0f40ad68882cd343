/** One request as a reader of the test's own understands it: no code of ours has a part in it. */
export interface ReferenceRequest {
  readonly method: string;
  /** As an app may receive it: in origin form, without dot segments and empty ones. */
  readonly target: string;
  readonly body: Buffer;
  /** False: its head is whole, its body breaks the rules or is cut off. */
  readonly isComplete: boolean;
}

export interface ReferenceReading {
  readonly requests: readonly ReferenceRequest[];
  /** `clean`: nothing is left over, or the last request said `close`. */
  readonly end: 'clean' | 'malformed' | 'incomplete';
}

type Problem = 'malformed' | 'incomplete';
interface Head {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly end: number;
}

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const requestLine = new RegExp(`^(${token}) ([!-~\\x80-\\xff]+) HTTP/(1\\.[01])$`);
const fieldLine = new RegExp(`^(${token}):[ \\t]*((?:[\\t -~\\x80-\\xff]*[!-~\\x80-\\xff])?)[ \\t]*$`);
const chunkLine = /^([0-9A-Fa-f]{1,12})(?:[ \t]*;[\t -~\x80-\xff]*)?$/;

/**
 * Reads a byte stream as RFC 9112 wants it, at its most generous where only one reading is possible, and stops at the
 * first thing that two readers could understand differently. An agent may refuse more, and must not read otherwise.
 */
export function readAsReference(bytes: Buffer): ReferenceReading {
  const text = bytes.toString('latin1');
  const requests: ReferenceRequest[] = [];
  for (let at = 0; ;) {
    while (text.startsWith('\r\n', at)) at += 2;
    if (at === text.length) return { requests, end: 'clean' };
    const head = readHead(text, at);
    if (typeof head === 'string') return { requests, end: head };
    const body = readBody(text, head);
    const { method, target } = head;
    if (body.problem !== undefined) {
      if (body.problem === 'no-head') return { requests, end: 'malformed' };
      requests.push({ method, target, body: Buffer.alloc(0), isComplete: false });
      return { requests, end: body.problem };
    }
    requests.push({ method, target, body: Buffer.from(body.content, 'latin1'), isComplete: true });
    if (isLast(head)) return { requests, end: 'clean' };
    at = body.end;
  }
}

function readHead(text: string, start: number): Head | Problem {
  const blank = text.indexOf('\r\n\r\n', start);
  const seen = blank < 0 ? text.slice(start) : text.slice(start, blank);
  const lines = seen.split('\r\n');
  const isOdd = (line: string): boolean => /[\r\n\0]/.test(line);
  if (blank < 0) return lines.slice(0, -1).some(isOdd) ? 'malformed' : 'incomplete';
  const [, method, target, version] = requestLine.exec(lines[0] ?? '') ?? [];
  if (method === undefined || target === undefined || version === undefined) return 'malformed';
  const fields: [string, string][] = [];
  for (const line of lines.slice(1)) {
    const [, name, value] = fieldLine.exec(line) ?? [];
    if (name === undefined || value === undefined) return 'malformed';
    fields.push([name.toLowerCase(), value]);
  }
  const origin = originOf(target);
  if (method === 'CONNECT' || origin === undefined) return 'malformed';
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1 || (hosts.length === 0 && version === '1.1')) return 'malformed';
  return { method, target: origin, version, fields, end: blank + 4 };
}

function originOf(target: string): string | undefined {
  if (target === '*') return target;
  if (target.startsWith('/')) return withoutDots(target);
  const [, path] = /^https?:\/\/[^/?#]+([/?][^#]*)?$/i.exec(target) ?? [];
  if (!/^https?:/i.test(target)) return undefined;
  return path === undefined || path.startsWith('?') ? `/${path ?? ''}` : withoutDots(path);
}

/**
 * As a URL parser (WHATWG) reads the path, once its slashes are merged; the query as it came. Characters that it would
 * encode and agents let through stand aside meanwhile.
 */
function withoutDots(target: string): string {
  const end = target.search(/\?|$/);
  const path = target
    .slice(0, end)
    .replaceAll(/\/+/g, '/')
    .replaceAll(/["<>^`{|}]/g, (character) => `~${character.charCodeAt(0)}~`);
  const read = new URL(path, 'http://prices').pathname;
  return (
    read.replaceAll(/~(34|60|62|94|96|12[345])~/g, (_, code) => String.fromCharCode(Number(code))) + target.slice(end)
  );
}

type Body = { readonly content: string; readonly end: number; readonly problem?: undefined };

function readBody(text: string, head: Head): Body | { readonly problem: Problem | 'no-head' } {
  const codings = valuesOf(head.fields, 'transfer-encoding');
  const lengths = valuesOf(head.fields, 'content-length').flatMap((value) => value.split(','));
  if (codings.length > 0) {
    const list = codings.join(',').toLowerCase().split(',');
    const chunked = list.map((coding) => coding.trim()).indexOf('chunked');
    if (lengths.length > 0 || head.version === '1.0' || chunked !== list.length - 1) return { problem: 'no-head' };
    return readChunks(text, head.end);
  }
  if (lengths.length === 0) return { content: '', end: head.end };
  const [length = '', ...others] = lengths.map((value) => value.trim());
  if (!/^\d+$/.test(length) || others.some((other) => other !== length)) return { problem: 'no-head' };
  const end = head.end + Number(length);
  return end > text.length ? { problem: 'incomplete' } : { content: text.slice(head.end, end), end };
}

function readChunks(text: string, start: number): Body | { readonly problem: Problem } {
  let content = '';
  for (let at = start; ;) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = chunkLine.exec(text.slice(at, lineEnd < 0 ? undefined : lineEnd))?.[1];
    if (lineEnd < 0 || size === undefined) return { problem: lineEnd < 0 ? 'incomplete' : 'malformed' };
    const dataEnd = lineEnd + 2 + parseInt(size, 16);
    if (parseInt(size, 16) === 0) return readTrailers(text, { content, end: dataEnd });
    if (dataEnd + 2 > text.length) return { problem: 'incomplete' };
    if (!text.startsWith('\r\n', dataEnd)) return { problem: 'malformed' };
    content += text.slice(lineEnd + 2, dataEnd);
    at = dataEnd + 2;
  }
}

function readTrailers(text: string, { content, end }: Body): Body | { readonly problem: Problem } {
  for (let at = end; ;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return { problem: 'incomplete' };
    if (lineEnd === at) return { content, end: lineEnd + 2 };
    if (!fieldLine.test(text.slice(at, lineEnd))) return { problem: 'malformed' };
    at = lineEnd + 2;
  }
}

function isLast({ version, fields }: Head): boolean {
  const options = valuesOf(fields, 'connection').flatMap((value) => value.toLowerCase().split(','));
  const says = (option: string): boolean => options.some((one) => one.trim() === option);
  return says('close') || (version === '1.0' && !says('keep-alive'));
}

function valuesOf(fields: Head['fields'], name: string): string[] {
  return fields.filter(([found]) => found === name).map(([, value]) => value);
}
