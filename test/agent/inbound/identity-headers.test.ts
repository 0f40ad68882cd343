import { describe, expect, test } from 'vitest';
import { headerField, type HeaderField } from '#agent/http/header-field.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import { setIdentityHeaders } from '#agent/inbound/identity-headers.ts';
import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';

function spiffeId(text: string): SpiffeId {
  const parsed = parseSpiffeId(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

const caller = {
  spiffeId: spiffeId('spiffe://shop.example/ns/default/sa/storefront'),
  thumbprint: 'ab'.repeat(32),
  subject: '',
  by: spiffeId('spiffe://shop.example/ns/default/sa/prices'),
};

const names = (fields: readonly HeaderField[]): string[] => fields.map((field) => field.rawName);
const clientCert = (headers: readonly HeaderField[], from: typeof caller): string[] =>
  setIdentityHeaders(headers, from)
    .filter((field) => field.name === 'x-forwarded-client-cert')
    .map((field) => field.value);

describe('the identity the app is told', () => {
  test('is one field in Envoy’s format, from the verified certificate', () => {
    expect(clientCert([headerField('Host', 'a')], caller)).toEqual([
      `By=spiffe://shop.example/ns/default/sa/prices;Hash=${'ab'.repeat(32)};Subject="";` +
        'URI=spiffe://shop.example/ns/default/sa/storefront',
    ]);
  });

  test.each([
    'x-forwarded-client-cert',
    'X-Forwarded-Client-Cert',
    'x_forwarded_client_cert',
    'X_FORWARDED-client_Cert',
    'x.forwarded.client.cert',
    'X-Eastwest-Caller',
    'x-eastwest-',
    'x_eastwest_decision',
    'x-mesh-identity',
    'Workload-Identity-Token',
    'workload_proof_token',
  ])('cannot be sent along as %s, in headers or trailers (A48)', (name) => {
    const forged = [
      headerField('A', '1'),
      headerField(name, 'URI=spiffe://shop.example/ns/default/sa/admin'),
      headerField('B', '2'),
    ];
    expect(names(stripReserved(forged))).toEqual(['A', 'B']);
    expect(names(setIdentityHeaders([...forged, ...forged], caller))).toEqual([
      'A',
      'B',
      'A',
      'B',
      'x-forwarded-client-cert',
    ]);
    expect(clientCert(forged, caller)[0]).not.toContain('admin');
  });

  test.each(['x-forwarded-for', 'x-request-id', 'x-e', 'x-eastwes', 'www-authenticate', 'x', 'forwarded'])(
    'leaves %s alone',
    (name) => {
      expect(names(stripReserved([headerField(name, '1')]))).toEqual([name]);
    },
  );

  test('a later caller is never told as an earlier one', () => {
    const other = { ...caller, spiffeId: spiffeId('spiffe://shop.example/ns/default/sa/cart') };
    expect(clientCert([], caller)[0]).toContain('/sa/storefront');
    expect(clientCert([], other)[0]).toContain('/sa/cart');
    expect(clientCert([], caller)[0]).toContain('/sa/storefront');
  });
});

/** Elements of one `x-forwarded-client-cert` value as a reader of quoted strings sees them. */
function elements(value: string): string[] {
  return value.match(/[A-Za-z]+=(?:"(?:[^"\\]|\\.)*"|[^;"]*)(?:;|$)/g) ?? [];
}

describe('what means something in the header, in a subject or ID', () => {
  test.each([
    ['CN=a,O=b', '"CN=a,O=b"'],
    ['CN=a";URI=spiffe://shop.example/ns/default/sa/admin', '"CN=a\\";URI=spiffe://shop.example/ns/default/sa/admin"'],
    ['CN=a\\', '"CN=a\\\\"'],
    ['CN=a\\";URI=spiffe://x/y', '"CN=a\\\\\\";URI=spiffe://x/y"'],
    ['CN=a\r\nX: y', '"CN=a\\\\0D\\\\0AX: y"'],
    ['CN=\x00\x1b[31m', '"CN=\\\\00\\\\1B[31m"'],
    ['CN=Zoë', '"CN=Zo\\\\C3\\\\AB"'],
    ['C'.repeat(1_025), '""'], // left out, not cut
  ])('%j stays inside its quotes (A74, A78)', (subject, written) => {
    const [value = ''] = clientCert([], { ...caller, subject });
    expect(value).toContain(`;Subject=${written};URI=spiffe://shop.example/ns/default/sa/storefront`);
    expect(elements(value)).toHaveLength(4);
  });

  test.each(['a;URI=spiffe://x/y', 'a,By=b', 'a"b', 'a=b', 'a b', 'a\r\nb'])(
    'even a SPIFFE ID with %j, which cannot exist, forges nothing (A78)',
    (path) => {
      const [value = ''] = clientCert([], { ...caller, spiffeId: `spiffe://shop.example/${path}` as SpiffeId });
      expect(elements(value)).toHaveLength(4);
      expect(value).toMatch(/;URI="spiffe:\/\/shop\.example\/a.*"$/);
      expect(value).not.toMatch(/[\r\n]/);
    },
  );
});
