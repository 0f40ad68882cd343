/** A field name in one of its usual spellings. */
export interface KnownName {
  /** Lower case. */
  readonly name: string;
  readonly rawName: string;
  readonly bytes: Uint8Array;
}

/** Names that most messages hold. */
const common = (
  'Accept Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Origin Age Allow Authorization ' +
  'Cache-Control Connection Content-Disposition Content-Encoding Content-Language Content-Length Content-Range ' +
  'Content-Security-Policy Content-Type Cookie Date DNT ETag Expect Expires Forwarded From Grpc-Status Host ' +
  'If-Match If-Modified-Since If-None-Match Keep-Alive Last-Modified Link Location Origin Pragma Range Referer ' +
  'Retry-After Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Server Set-Cookie Strict-Transport-Security TE ' +
  'Traceparent Tracestate Trailer Transfer-Encoding Upgrade Upgrade-Insecure-Requests User-Agent Vary Via ' +
  'X-Content-Type-Options X-Forwarded-Client-Cert X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Frame-Options ' +
  'X-Powered-By X-Request-ID X-Requested-With'
).split(' ');

const slots = 2_048;

/** The step of the hash by which a name is looked up, one call for each of its bytes; begins with 0. */
export function nextHash(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}

const table: readonly (KnownName | undefined)[] = buildTable();

function buildTable(): (KnownName | undefined)[] {
  const names = Array.from<KnownName | undefined>({ length: slots });
  for (const usual of common) {
    for (const rawName of [usual, usual.toLowerCase()]) {
      const bytes = Buffer.from(rawName, 'latin1');
      const hash = bytes.reduce(nextHash, 0) & (slots - 1);
      names[hash] ??= { name: usual.toLowerCase(), rawName, bytes };
    }
  }
  return names;
}

/** The known name that stands in `bytes` from `from` to `to`, whose hash this is; undefined for any other. */
export function knownName(bytes: Uint8Array, from: number, to: number, hash: number): KnownName | undefined {
  const known = table[hash & (slots - 1)];
  if (known === undefined) return undefined;
  const own = known.bytes;
  if (own.length !== to - from) return undefined;
  for (let at = 0; at < own.length; at += 1) {
    if (own[at] !== bytes[from + at]) return undefined;
  }
  return known;
}
