import fc from 'fast-check';

/** A target in origin form, as a caller may spell it. */
export interface PathCase {
  readonly target: string;
  readonly version: 'HTTP/1.1' | 'HTTP/2';
}

const names = [
  ...[
    'prices',
    'Prices',
    'admin',
    '1',
    '~u',
    'a.b',
    '.x',
    '..x',
    'x..',
    '...',
    '-_',
    'a+b',
    '@',
    ':',
    '2e',
    '41',
    'v1',
  ],
  ...['caf%C3%A9', 'caf%c3%a9', '%F0%9F%8D%B0', 'a%20b', '%70rices', '%2Dx', '%7e', '%2e.x', '%41', '%61dmin'],
  ...['%22', '"', '<x>', '{id}', '|', '^', '`', '[]', "'", '%3F', '%23', '%0A', '%0d', '%7F', '%09', '100%25', '%25zz'],
  ...['x;v=1', 'x%3bv=1', ';x', '%3B', 'a=b&c', '%26', '%3d', '%40', '%2B', '*', '$', '!', '(x)', ',', '%2C'],
];
const dots = ['.', '..', '%2e', '%2E', '%2e%2e', '.%2E', '%2E.', '%2e%2E'];
const traps = [
  ...['..;', '.;x', '%2e%2e;v=1', '..%3b', '.%3Bx', '..%00', '%00', 'x%00', '\\', 'a\\b', '..\\', '%5c', '..%5C..'],
  ...['%2f', 'a%2Fb', '..%2f..', '%2e%2e%2f', '%252e%252e', '%252f', '%255c', '%2500', '%25%32%65', '%2%35', '%25c0'],
  ...['%c0%ae%c0%ae', '%c0%af', '%e0%80%ae', '%f0%80%80%af', '%ed%a0%80', '%f4%90%80%80', '%ff', '%C3', '%A9', '%c3('],
  ...[
    '%',
    '%4',
    '%zz',
    '%u002e',
    '%%32%65',
    '#',
    '#x',
    '\xe9',
    '\x80',
    '%ef%bc%8f',
    '%e2%88%95',
    '%ef%bc%8e',
    '%c2%85',
  ],
];

const anyByte = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.boolean())
  .map(([byte, isUpper]) => encoded(String.fromCharCode(byte), isUpper));
const segments = fc.oneof(
  { arbitrary: fc.constantFrom(...names), weight: 40 },
  { arbitrary: fc.constantFrom(...dots), weight: 14 },
  { arbitrary: fc.constantFrom(...traps), weight: 2 },
  { arbitrary: anyByte, weight: 1 },
  {
    arbitrary: fc.tuple(fc.constantFrom(...names, ...dots, ...traps), fc.constantFrom(...names, ...dots)).map(join),
    weight: 3,
  },
);
const slashes = fc.oneof(
  { arbitrary: fc.constant('/'), weight: 100 },
  { arbitrary: fc.constantFrom('//', '///', '/./', '/../', '/x/../'), weight: 10 },
  { arbitrary: fc.constantFrom('\\', '%2f', '%5C', '/..;/', '/\\', '%252f'), weight: 1 },
);
const ends = fc.constantFrom('', '', '', '', '/', '//', '/.', '/..', '/%2e', '/%2e%2e/');
const queries = fc.constantFrom(
  ...['', '', '', '', '?', '?x=1', '?/../x', '?a=%2f%2e%2E&b=%', '?//', '?x?y', '?\\', '?%00%zz', '?..;/'],
);
/** A character that is encoded, of an encoding too: where, and with which digits. */
type Disguise = readonly [share: number, isUpper: boolean];
const disguises: fc.Arbitrary<readonly Disguise[]> = fc.oneof(
  { arbitrary: fc.constant<readonly Disguise[]>([]), weight: 3 },
  fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), fc.boolean()), { maxLength: 3 }),
);

function encoded(character: string, isUpper: boolean): string {
  const digits = character.charCodeAt(0).toString(16).padStart(2, '0');
  return `%${isUpper ? digits.toUpperCase() : digits}`;
}

function join(parts: readonly string[]): string {
  return parts.join('');
}

function disguise(path: string, [share, isUpper]: Disguise): string {
  const at = 1 + Math.floor(share * (path.length - 1));
  if (at >= path.length || (path[at] === '%' && isUpper)) return path; // too many would be encoded twice
  return path.slice(0, at) + encoded(path[at]!, isUpper) + path.slice(at + 1);
}

/** Whether its characters can stand in a target; others would end a session of HTTP/2 before long. */
const isTarget = (text: string): boolean => /^[!"$-~]*$/.test(text);

export const pathCases: fc.Arbitrary<PathCase> = fc
  .record({
    parts: fc.array(fc.tuple(slashes, segments), { minLength: 2, maxLength: 7, size: 'max' }),
    end: ends,
    hidden: disguises,
    query: queries,
    isHttp2: fc.boolean(),
  })
  .map(({ parts, end, hidden, query, isHttp2 }) => {
    const spelt = `${parts.map(join).join('')}${end}`;
    const path = hidden.reduce(disguise, spelt.startsWith('/') ? spelt : `/${spelt}`);
    const target = path + query;
    return { target, version: isHttp2 && isTarget(target) ? 'HTTP/2' : 'HTTP/1.1' };
  });
