import fc from 'fast-check';

/** What a client sends on one connection, in Latin-1. `{ID}` stands for four characters, others in every run. */
export interface FramingCase {
  readonly text: string;
  /** Where the bytes are cut into writes of their own: shares of the whole. */
  readonly cuts: readonly number[];
}

const crlf = '\r\n';
const smuggled = `GET /s{ID}/ HTTP/1.1${crlf}Host: prices${crlf}${crlf}`;
/** Behind whatever was said before: somebody else's request, as it were. */
const marker = `GET /m{ID}/ HTTP/1.1${crlf}Host: prices${crlf}Connection: close${crlf}${crlf}`;

/** The common case many times, so that most requests are odd in one place only. */
const mostly = <T>(common: T, weight: number, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(common), weight }, { arbitrary: fc.constantFrom(...others), weight: 1 });

const methods = fc.constantFrom('GET', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH');
const versions = mostly(
  'HTTP/1.1',
  40,
  ...['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/01.1', 'HTTP/1.1 ', 'HTTP/1.10', 'HTTP/1', ''],
);
const targets = mostly(
  '/n{ID}/{K}',
  25,
  ...['http://prices/n{ID}/{K}', '/n{ID}/{K}?a=b&c', '/n{ID}/{K}#x', '/n{ID}/{K} x', 'n{ID}/{K}', '/n{ID}/\t{K}'],
  ...['/x/../n{ID}/{K}', '/n{ID}/%2e/{K}', 'http:///n{ID}/{K}', 'https://prices/n{ID}/{K}', '//n{ID}/{K}', '/n{ID}/é'],
);
const hosts = mostly(
  `Host: prices${crlf}`,
  40,
  ...['', `Host: prices${crlf}Host: prices${crlf}`, `Host: prices, other${crlf}`, `Host:${crlf}`, `Host: a b${crlf}`],
  ...[`Host : prices${crlf}`, ` Host: prices${crlf}`, `host: other${crlf}`, `Host: prices:80${crlf}`],
);
const lineEnds = mostly(crlf, 80, '\n', '\r', '\r\r\n', '\n\r', ' \r\n', '\t\r\n', '\0\r\n');
const starts = mostly('', 30, crlf, crlf + crlf, '\n', '\r', ' ', `\r\n\n`);

const codings = [
  ...['Transfer-Encoding: chunked', 'transfer-encoding: chunked', 'Transfer-Encoding: Chunked'],
  ...['Transfer-Encoding:chunked', 'Transfer-Encoding:\tchunked', 'Transfer-Encoding:  chunked  '],
  ...['Transfer-Encoding : chunked', 'Transfer-Encoding\t: chunked', ' Transfer-Encoding: chunked'],
  ...['Transfer-Encoding: xchunked', 'Transfer-Encoding: chunkedx', 'Transfer-Encoding: "chunked"'],
  ...['Transfer-Encoding: identity', 'Transfer-Encoding: chunked, identity', 'Transfer-Encoding: identity, chunked'],
  ...['Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: chunked, chunked', 'Transfer-Encoding: chunked;q=1'],
  ...['Transfer-Encoding: ,chunked', 'Transfer-Encoding: chunked,', 'Transfer-Encoding:', 'Transfer-Encoding: cow'],
  ...['Transfer-Encoding:\x0bchunked', 'Transfer-Encoding: chunked\x0b', 'Transfer-Encoding: chunked\0'],
  ...['Transfer-Encoding:\r\n chunked', 'X: y\r\n Transfer-Encoding: chunked', 'X: y\nTransfer-Encoding: chunked'],
  ...['X: y\rTransfer-Encoding: chunked', 'Transfer_Encoding: chunked', 'Transfer-Encoding: chunKed\x85'],
  ...['Transfer-Encoding\0: chunked', '\xffTransfer-Encoding: chunked', 'Transfer-Encoding chunked', ': chunked'],
];
const lengths = [
  ...['Content-Length: {N}', 'content-length:{N}', 'Content-Length: +{N}', 'Content-Length: -{N}', '{N}'],
  ...['Content-Length: 0{N}', 'Content-Length: {N}, {N}', 'Content-Length: {N}, 0', 'Content-Length: 0, {N}'],
  ...['Content-Length: 0x{N}', 'Content-Length: {N}.0', 'Content-Length: {N}\0', 'Content-Length:'],
  ...['Content-Length: {N} 0', 'Content-Length: {N}e0', 'Content-Length : {N}', ' Content-Length: {N}'],
  ...['Content-Length: "{N}"', 'Content-Length: {N};', 'Content-Length: {N}\t', 'Content_Length: {N}'],
  ...[
    'Content-Length: 18446744073709551616',
    'Content-Length: 9223372036854775807',
    'Content-Length: 9007199254740993',
  ],
  ...[
    'Content-Length: {N}\r\nContent-Length: {N}',
    'Content-Length: {N}\r\nContent-Length: 0',
    'Content-Length:\r\n {N}',
  ],
  ...['X: y\nContent-Length: {N}', 'X: y\rContent-Length: {N}', 'Content-Length: \xb2', 'Content-Length: ٣'],
].map((line) => Buffer.from(line).toString('latin1'));
const others = [
  ...[
    'X-A: b',
    'X-A:',
    'X-Long: '.padEnd(3_000, 'x'),
    'X-A: \xe9',
    'Cookie: a=b; c=d',
    'X_A: b',
    'X-A: a,b',
    'x-a: "b',
  ],
  ...['Connection: keep-alive', 'Connection: Content-Length', 'Connection: Transfer-Encoding', 'Connection: Host'],
  ...['Connection: close', 'Connection: x-a', 'Keep-Alive: timeout=5', 'TE: trailers', 'Expect: 100-continue'],
  ...['Upgrade: websocket\r\nConnection: Upgrade', 'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings', 'Expect: x'],
  ...['X-A : b', 'X-A\r\n b: c', 'X-A: b\r\n c', 'X-A', 'X-\0A: b', 'X-A: b\x7f', ' X-A: b', 'X A: b', 'Trailer: X-T'],
  ...['Content-Encoding: gzip', 'X-HTTP-Method-Override: GET', 'Proxy-Connection: keep-alive'],
];

const contents = fc.oneof(
  fc.constantFrom('', 'x', smuggled, `0${crlf}${crlf}${smuggled}`, `${crlf}${crlf}${smuggled}`, marker),
  fc.constantFrom(`hello${crlf}0${crlf}${crlf}${smuggled}`, 'y'.repeat(5_000), `5${crlf}hello${crlf}`),
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 60 }),
);

const sizeLines = mostly(
  '{S}',
  16,
  ...['0{S}', '0000{S}', '{S};x', '{S};x=y', '{S} ;x="y"', '{S} ', ' {S}', '+{S}', '-{S}', '0x{S}', '{S};x\n', '{S}\0'],
  ...['ffffffff{S}', '100000000000000{S}', '{S},', '{S};x="\r\n"', '', '{S};\0', '{S}\r', '\n{S}', '{S}\t;x', 'g{S}'],
);
const chunkEnds = mostly(crlf, 20, '\n', '', '\r', '\r\r\n', `${crlf}${crlf}`, 'xx');
const lasts = mostly('0', 10, '00', '0;x', '000000000000000000', '0 ', '-0', '', '0x0', '\r\n0');
const trailers = mostly(
  crlf,
  12,
  ...[`X-T: v${crlf}${crlf}`, `Content-Length: 3${crlf}${crlf}`, `Transfer-Encoding: chunked${crlf}${crlf}`, ''],
  ...[` X-T: v${crlf}${crlf}`, `X-T : v${crlf}${crlf}`, `X-T: v\n\r\n`, '\n', '\r', `Host: other${crlf}${crlf}`],
  ...[`X-T: v${crlf} w${crlf}${crlf}`, `X-T${crlf}${crlf}`],
);

/** The content in chunks, with the odd size line, line end, last chunk or trailer. */
const chunks = fc
  .tuple(contents, fc.array(fc.nat({ max: 40 }), { maxLength: 3 }), sizeLines, chunkEnds, lasts, trailers)
  .map(([content, sizes, line, end, last, trailer]) => {
    let at = 0;
    const parts = [...sizes, content.length].flatMap((size) => {
      const data = content.slice(at, (at += size));
      return data === '' ? [] : [data];
    });
    const odd = parts.length - 1;
    const sized = parts.map((data, index) => {
      const [form, closing] = index === odd ? [line, end] : ['{S}', crlf];
      return `${form.replace('{S}', data.length.toString(16))}${crlf}${data}${closing}`;
    });
    return `${sized.join('')}${last}${crlf}${trailer}`;
  });

const deltas = mostly(0, 10, 1, -1, 5, -5, 60);
/** Lines that say where the body ends, and the body. */
type Framing = readonly [lines: readonly string[], body: string];

const framings: fc.Arbitrary<Framing> = fc.oneof(
  { arbitrary: fc.constant<Framing>([[], '']), weight: 6 },
  {
    weight: 8,
    arbitrary: fc
      .tuple(contents, deltas)
      .map(([body, delta]): Framing => [[lengthLine('Content-Length: {N}', body, delta)], body]),
  },
  { arbitrary: chunks.map((body): Framing => [['Transfer-Encoding: chunked'], body]), weight: 9 },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(...lengths), contents, deltas)
      .map(([line, body, delta]): Framing => [[lengthLine(line, body, delta)], body]),
  },
  {
    arbitrary: fc.tuple(fc.constantFrom(...codings), chunks).map(([line, body]): Framing => [[line], body]),
    weight: 3,
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(...codings), fc.constantFrom(...lengths), fc.oneof(chunks, contents), fc.boolean())
      .map(([coding, length, body, isFirst]): Framing => {
        const line = lengthLine(length, body, 0);
        return [isFirst ? [coding, line] : [line, coding], body];
      }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...codings), fc.constantFrom(...codings), chunks)
      .map(([one, other, body]): Framing => [[one, other], body]),
  },
);

function lengthLine(form: string, body: string, delta: number): string {
  return form.replaceAll('{N}', String(Math.max(0, body.length + delta)));
}

const messages = fc
  .record({
    start: starts,
    line: fc.tuple(methods, targets, versions, mostly(' ', 80, '  ', '\t', '')),
    host: hosts,
    more: fc.oneof({ arbitrary: fc.constant([]), weight: 6 }, fc.array(fc.constantFrom(...others), { maxLength: 3 })),
    framing: framings,
    isFramedFirst: fc.boolean(),
    lineEnd: lineEnds,
    headEnd: mostly(crlf, 80, '\n', '\r', '', '\r\r\n'),
  })
  .map(({ start, line: [method, target, version, gap], host, more, framing, isFramedFirst, lineEnd, headEnd }) => {
    const [lines, body] = framing;
    const fields = [...(isFramedFirst ? [...lines, ...more] : [...more, ...lines])].map((text) => text + crlf).join('');
    const text = `${method}${gap}${target} ${version}${lineEnd}${host}${fields}`;
    return `${start}${text}${headEnd}${body}`;
  });

const oddBytes = fc.constantFrom('\r', '\n', '\0', ' ', '\t', ':', ',', '0', 'a', crlf, '\xff', crlf + crlf, smuggled);
/** One byte or more changed, doubled or lost somewhere: where, what, and how much. */
type Mutation = readonly [how: string, share: number, bytes: string];
const mutations: fc.Arbitrary<readonly Mutation[]> = fc.oneof(
  { arbitrary: fc.constant<readonly Mutation[]>([]), weight: 5 },
  fc.array(
    fc.tuple(
      fc.constantFrom('insert', 'replace', 'remove', 'double', 'cut'),
      fc.double({ min: 0, max: 1, noNaN: true }),
      oddBytes,
    ),
    { minLength: 1, maxLength: 2 },
  ),
);

function mutate(text: string, [how, share, bytes]: Mutation): string {
  const at = Math.floor(share * text.length);
  if (how === 'insert') return text.slice(0, at) + bytes + text.slice(at);
  if (how === 'replace') return text.slice(0, at) + bytes + text.slice(at + 1);
  if (how === 'remove') return text.slice(0, at) + text.slice(at + bytes.length);
  if (how === 'double') return text.slice(0, at) + text.slice(Math.max(0, at - 20));
  return text.slice(0, at);
}

/** One to three messages, most of them odd somewhere, and a request like any other behind them. */
export const framingCases: fc.Arbitrary<FramingCase> = fc
  .record({
    sent: fc.array(messages, { minLength: 1, maxLength: 3 }),
    changes: mutations,
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
  })
  .map(({ sent, changes, cuts }) => {
    const whole = sent.map((text, index) => text.replaceAll('{K}', String(index))).join('') + marker;
    return { text: changes.reduce(mutate, whole), cuts };
  });

/** The bytes of one run, in the pieces they are written in. */
export function piecesOf({ text, cuts }: FramingCase, id: string): Buffer[] {
  const bytes = Buffer.from(text.replaceAll('{ID}', id), 'latin1');
  const ends = [...cuts.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b), bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}
