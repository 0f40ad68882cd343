import { ok, refuse, type Result } from '#runtime/result.ts';
import {
  contentOf,
  MalformedDer,
  oidText,
  readItems,
  readSequence,
  tags,
  unsignedHex,
  wholeBytes,
  type Der,
} from './der.ts';
import { noExtensions, readExtensions, type Extensions } from './extensions.ts';
import { algorithmOid, keyKind, type KeyKind } from './key-kind.ts';
import { readTime } from './x509-time.ts';

/** An X.509 version 3 certificate as it stands: well-formed, nothing judged yet. Buffers are views on `der`. */
export interface Certificate {
  readonly der: Buffer;
  readonly tbsDer: Buffer;
  /** AlgorithmIdentifier's OID as text. */
  readonly signatureAlgorithm: string;
  readonly signature: Buffer;
  readonly serialHex: string;
  readonly issuerDer: Buffer;
  readonly subjectDer: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly spkiDer: Buffer;
  readonly keyKind: KeyKind;
  readonly extensions: Extensions;
}

const maxCertificateBytes = 65_536;

/** Reads DER (RFC 5280, section 4.1). Strict: version 3, no trailing bytes, inner and outer algorithm alike, each extension once. */
export function readCertificate(bytes: Uint8Array): Result<Certificate, 'malformed'> {
  if (bytes.length > maxCertificateBytes) return refuse('malformed');
  try {
    return ok(read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)));
  } catch (cause) {
    if (cause instanceof MalformedDer) return refuse('malformed');
    throw cause;
  }
}

function read(der: Buffer): Certificate {
  const [tbs, algorithm, signature, ...surplus] = readSequence(der);
  if (!tbs || surplus.length > 0) throw new MalformedDer();
  const [version, serial, inner, issuer, validity, subject, spki, extensions, ...more] = readSequence(tbs.whole);
  if (more.length > 0 || !issuer || !subject || !spki || !validity) throw new MalformedDer();
  if (!algorithm || !inner?.whole.equals(algorithm.whole)) throw new MalformedDer();
  if (!contentOf(version, 0xa0).equals(versionThree)) throw new MalformedDer();
  const [notBefore, notAfter, ...times] = readSequence(validity.whole);
  if (times.length > 0) throw new MalformedDer();
  return {
    der,
    tbsDer: tbs.whole,
    signatureAlgorithm: algorithmOid(algorithm.whole),
    signature: wholeBytes(contentOf(signature, tags.bitString)),
    serialHex: unsignedHex(contentOf(serial, tags.integer)),
    issuerDer: nameDer(issuer),
    subjectDer: nameDer(subject),
    notBeforeMs: readTime(notBefore),
    notAfterMs: readTime(notAfter),
    spkiDer: spki.whole,
    keyKind: keyKind(spki.whole),
    extensions: extensions === undefined ? noExtensions : readExtensions(contentOf(extensions, 0xa3)),
  };
}

const versionThree = Buffer.from([0x02, 0x01, 0x02]);

/** A Name of the right shape: sets of (type, value) pairs. */
function nameDer(name: Der): Buffer {
  for (const part of readSequence(name.whole)) {
    for (const pair of readItems(contentOf(part, tags.set))) {
      const [type, value, ...surplus] = readSequence(pair.whole);
      oidText(contentOf(type, tags.oid));
      if (!value || surplus.length > 0) throw new MalformedDer();
    }
  }
  return name.whole;
}
