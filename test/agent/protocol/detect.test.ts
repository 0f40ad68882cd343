import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isHttp2Settings } from '#agent/http/http2-settings.ts';
import { detectProtocol } from '#agent/protocol/detect.ts';

const detect = (text: string) => detectProtocol(Buffer.from(text, 'latin1'));
const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

describe('the first bytes of a caller', () => {
  test.each([
    [preface, 'http2', 'HTTP/2 with prior knowledge'],
    [`${preface}\0\0\0\x04\0\0\0\0\0`, 'http2', 'and what follows'],
    [preface.slice(0, 20), 'more', 'the beginning of its preface'],
    [preface.replace('SM', 'XX'), 'http', 'a preface that is none: the strict reader refuses it'],
    ['GET / HTTP/1.1\r\n', 'http', 'a request line'],
    ['GET /', 'http', 'the beginning of one'],
    ['POST /a', 'http', 'of another'],
    ['LIST /a', 'http', 'a word in capital letters and a path, after which some servers read headers'],
    ['LIST a', 'more', 'what may become one: a word, but no method that a server knows'],
    ['list /a', 'more', 'another'],
    ['list /a HTTP/', 'http', 'what has'],
    ['QUERY /a http/1.1\n', 'http', 'an unknown method and a version in small letters'],
    ['\r\n\r\nGET / HTTP/1.1', 'http', 'empty lines that many servers skip'],
    [' \t\x0b\x1f\x85\xa0GET\x1f/', 'http', 'blanks that only Python knows'],
    ['GET /\r\nX-Forwarded-Client-Cert: forged\r\n\r\n', 'http', 'HTTP/0.9, after which Python reads headers (A48)'],
    ['POST /x\r\n', 'http', 'another, after which Node reads them (A48)'],
    ['SOURCE / ICE/1.0\r\n', 'http', 'a version of another protocol that Node knows (A48)'],
    ['DESCRIBE / RTSP/1.0\r\n', 'http', 'and of another'],
    ['LIST /\rHTTP/1.1\n', 'http', 'a lone CR for a blank'],
    ['PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n', 'http', 'a PROXY header, which could bring HTTP behind it'],
    ['\r\n\r\n\0\r\nQUIT\n\x21', 'http', 'the binary PROXY header'],
    ['\r\n\r\n\0\r\nQ', 'more', 'the beginning of one'],
    ['', 'more', 'nothing'],
    ['\r\n', 'more', 'an empty line'],
    ['x', 'more', 'one letter'],
    ['\x16\x03\x01\x02\x00\x01', 'unlikely', 'a TLS ClientHello'],
    ['\x16\x03\x01\x08http/1.1\x0a', 'opaque', 'one with ALPN: its version stands behind a length'],
    ['\0\0\0\x08\x04\xd2\x16\x2f', 'unlikely', 'PostgreSQL'],
    ['*1\r\n$4\r\nPING\r\n', 'opaque', 'Redis'],
    ['get some-key\r\n', 'opaque', 'memcached'],
    ['EHLO mail.example\r\n', 'opaque', 'a mail client'],
    ['CONNECT\naccept-version:1.2\n\n\0', 'opaque', 'STOMP'],
    ['CONNECT\r\naccept-version:1.2\r\n\r\n\0', 'opaque', 'STOMP with CRLF'],
    ['CONNECT {"verbose":false}\r\n', 'opaque', 'NATS'],
    ['CONNECT {"name":"gateway HTTP/2"}\r\n', 'opaque', 'NATS, with a name that is no version'],
    ['CONNECT ', 'more', 'the beginning of NATS, or of a tunnel'],
    ['G@T\tX\tY / HTTP/1.1\r\n', 'http', 'a method with tabs, for who splits at spaces only'],
    ['AMQP\0\0\x09\x01', 'unlikely', 'AMQP'],
    ['A\0\0\0', 'unlikely', 'MongoDB, whose length may be a letter'],
    ['{"jsonrpc":"2.0"}', 'unlikely', 'JSON'],
    ['{"jsonrpc":"2.0"}\n', 'opaque', 'a line of JSON'],
    ['G(T / HTTP/1.1\r\n', 'http', 'a method that is no token, which lax servers take (A48)'],
    ['\0GET /\tHTTP/', 'unlikely', 'the beginning of another'],
    ['\0GET /\thttp/1\n', 'http', 'and all of it'],
    ['<34>1 - host app - GET / HTTP/1.1\n', 'opaque', 'a line of syslog about a request: more words than one has'],
    ['{"request":"GET / HTTP/1.1"}\n', 'opaque', 'one of JSON'],
    ['\x93\xa3GET \x80 / HTTP/1.1', 'opaque', 'msgpack'],
    [`"${'a'.repeat(900)}`, 'unlikely', 'no method, and a first line without an end'],
    [`"${'a'.repeat(90_000)} HTTP/1.1\n`, 'http', 'its version comes late'],
    ['hello\n', 'opaque', 'one word and a line feed'],
    [`POST ${'a'.repeat(9_000)}`, 'http', 'a first line without an end'],
    ['a'.repeat(9_000), 'http', 'a word without an end'],
    [' '.repeat(9_000), 'http', 'blanks without an end'],
  ])('%j: %s (%s)', (text, expected) => {
    expect(detect(text)).toBe(expected);
  });

  test('however they are cut, the verdict on the whole is the same; only what is unlikely may yet change', () => {
    const line = fc.oneof(
      fc.constantFrom(preface, 'POST /a HTTP/1.1\r\n', '\r\nGET / HTTP/1.1\r\n', 'EHLO a\r\n', '\x16\x03\x01'),
      fc.string({ unit: fc.constantFrom('G', 'E', 'T', ' ', '/', 'h', 'H', 'TTP/', '\n', '\r', '\0'), maxLength: 40 }),
    );
    fc.assert(
      fc.property(line, fc.nat(40), (text, at) => {
        const early = detect(text.slice(0, at));
        const late = detect(text);
        const expected = { more: [late], unlikely: ['unlikely', 'opaque', 'http'] } as const;
        expect(expected[early as 'more'] ?? [early]).toContain(late);
      }),
    );
  });

  test('A48: whatever byte a method has, a version behind it is seen', () => {
    for (let code = 0; code < 256; code += 1) {
      const byte = String.fromCharCode(code);
      if (byte === '\n') continue;
      for (const method of [byte, `${byte}GET`, `G${byte}T`, `GET${byte}`]) {
        expect(detect(`${method} / HTTP/1.1\r\n`), JSON.stringify(method)).toBe('http');
      }
    }
  });
});

test.each([
  ['000000040000000000', true, 'empty SETTINGS'],
  ['000012040000000000000300000064', true, 'SETTINGS with values'],
  ['000000040100000000', false, 'an acknowledgement'],
  ['000005040000000000', false, 'a length that SETTINGS cannot have'],
  ['4a0000000a382e302e33', false, 'the greeting of MySQL'],
  ['0000000400', false, 'too little'],
])('a server that speaks first with %s speaks HTTP/2: %s (%s)', (hex, expected) => {
  expect(isHttp2Settings(Buffer.from(hex, 'hex'))).toBe(expected);
});
