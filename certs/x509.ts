import asn1 from 'node-forge/lib/asn1.js';
import type { asn1 as Asn1Types } from 'node-forge';
import { hash } from 'node:crypto';
import { contentOf, readDer, readSequence, tags, wholeBytes } from './der.ts';
import { nameTags, oids } from './oids.ts';
import { timeText } from './x509-time.ts';

/** Building DER: the only file that knows node-forge. Reading is `certificate.ts`, so that what we build is read by other code. */
export type Asn1 = Asn1Types.Asn1;

export interface CertificateFields {
  readonly serial: Buffer;
  readonly issuerDer: Buffer;
  readonly subjectDer: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly spkiDer: Buffer;
  readonly extensions: readonly Asn1[];
}

const ecdsaWithSha256 = sequence(oid(oids.ecdsaWithSha256));
export const emptyName: Buffer = encode(sequence());

/** The part of an X.509 version 3 certificate that is signed, DER. Times are cut to the second. */
export function buildTbs(fields: CertificateFields): Buffer {
  return encode(
    sequence(
      tagged(0xa0, [primitive(tags.integer, '\x02')]),
      unsigned(fields.serial),
      ecdsaWithSha256,
      encoded(fields.issuerDer),
      sequence(time(fields.notBeforeMs), time(fields.notAfterMs)),
      encoded(fields.subjectDer),
      encoded(fields.spkiDer),
      tagged(0xa3, [sequence(...fields.extensions)]),
    ),
  );
}

/** The part of a PKCS#10 request that is signed, without a name or attributes (RFC 2986, section 4.1), DER. */
export function buildRequestInfo(spkiDer: Buffer): Buffer {
  return encode(sequence(primitive(tags.integer, '\x00'), sequence(), encoded(spkiDer), tagged(0xa0, [])));
}

/** What was signed, the algorithm (ECDSA with SHA-256) and the signature: a certificate or a request, DER. */
export function attachSignature(part: Buffer, signature: Buffer): Buffer {
  return encode(sequence(encoded(part), ecdsaWithSha256, primitive(tags.bitString, `\0${latin1(signature)}`)));
}

/** `CN=<text>` as a DER Name. */
export function commonName(text: string): Buffer {
  const value = primitive(tags.utf8String, Buffer.from(text).toString('latin1'));
  return encode(sequence(constructed(tags.set, [sequence(oid(oids.commonName), value)])));
}

export type Criticality = 'critical' | 'not-critical';

export function extension(type: string, criticality: Criticality, value: Asn1): Asn1 {
  const flag = criticality === 'critical' ? [primitive(tags.boolean, '\xff')] : [];
  return sequence(oid(type), ...flag, primitive(tags.octetString, asn1.toDer(value).getBytes()));
}

export function basicConstraints(kind: 'leaf' | { readonly pathLength: number | undefined }): Asn1 {
  if (kind === 'leaf') return extension(oids.basicConstraints, 'critical', sequence());
  const limit = kind.pathLength === undefined ? [] : [unsigned(Buffer.from([kind.pathLength]))];
  return extension(oids.basicConstraints, 'critical', sequence(primitive(tags.boolean, '\xff'), ...limit));
}

/** `bits`: a sum of `keyUsageBits`. */
export function keyUsage(bits: number, criticality: Criticality = 'critical'): Asn1 {
  const unused = 31 - Math.clz32(bits & -bits);
  return extension(oids.keyUsage, criticality, primitive(tags.bitString, String.fromCharCode(unused, bits)));
}

export function extendedKeyUsage(purposes: readonly string[]): Asn1 {
  return extension(oids.extendedKeyUsage, 'not-critical', sequence(...purposes.map(oid)));
}

export function subjectAltName(names: readonly Asn1[], criticality: Criticality): Asn1 {
  return extension(oids.subjectAltName, criticality, sequence(...names));
}

/** Permits, of all URIs, those with exactly this host (RFC 5280, section 4.2.1.10). */
export function permittedUriHost(host: string): Asn1 {
  const subtrees = tagged(0xa0, [sequence(generalName(nameTags.uri, host))]);
  return extension(oids.nameConstraints, 'critical', sequence(subtrees));
}

/** A GeneralName that is text; `latin1`, so that tests can write any byte. */
export function generalName(tag: number, latin1: string): Asn1 {
  return primitive(tag, latin1);
}

export function subjectKeyId(spkiDer: Buffer): Asn1 {
  return extension(oids.subjectKeyId, 'not-critical', primitive(tags.octetString, latin1(keyId(spkiDer))));
}

export function authorityKeyId(issuerKeyId: Buffer): Asn1 {
  return extension(oids.authorityKeyId, 'not-critical', sequence(primitive(0x80, latin1(issuerKeyId))));
}

/** Leftmost 160 bits of SHA-256 of the key's bits (RFC 7093, section 2, method 1). */
export function keyId(spkiDer: Buffer): Buffer {
  const bits = wholeBytes(contentOf(readSequence(spkiDer)[1], tags.bitString));
  return hash('sha256', bits, 'buffer').subarray(0, 20);
}

function sequence(...items: Asn1[]): Asn1 {
  return constructed(tags.sequence, items);
}

function tagged(tag: number, items: Asn1[]): Asn1 {
  return constructed(tag, items);
}

/** A SEQUENCE that is DER already: to the library a primitive value whose tag happens to say otherwise. */
function encoded(der: Buffer): Asn1 {
  return primitive(tags.sequence, latin1(readDer(der, tags.sequence).content));
}

function constructed(tag: number, items: Asn1[]): Asn1 {
  return asn1.create((tag & 0xc0) as Asn1Types.Class, (tag & 0x1f) as Asn1Types.Type, true, items);
}

export function primitive(tag: number, binary: string): Asn1 {
  return asn1.create((tag & 0xc0) as Asn1Types.Class, (tag & 0x3f) as Asn1Types.Type, false, binary);
}

function oid(text: string): Asn1 {
  return primitive(tags.oid, asn1.oidToDer(text).getBytes());
}

/** An INTEGER ≥ 0; the library takes away a leading zero byte that is not needed. */
function unsigned(bigEndian: Buffer): Asn1 {
  return primitive(tags.integer, `\0${latin1(bigEndian)}`);
}

function time(ms: number): Asn1 {
  const { tag, text } = timeText(ms);
  return primitive(tag, text);
}

function encode(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
}

function latin1(bytes: Buffer): string {
  return bytes.toString('latin1');
}
