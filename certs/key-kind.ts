import { contentOf, MalformedDer, oidText, readSequence, tags, unsignedHex, wholeBytes } from './der.ts';
import { oids } from './oids.ts';

export type KeyKind = 'p256' | 'p384' | 'rsa' | 'weak';

/** Named curves P-256 and P-384, RSA of 2048 to 8192 bits; all else, known or not, is `weak`. Throws `MalformedDer`. */
export function keyKind(spkiDer: Buffer): KeyKind {
  const [algorithm, key] = readSequence(spkiDer);
  if (!algorithm) throw new MalformedDer();
  const oid = algorithmOid(algorithm.whole);
  const bits = wholeBytes(contentOf(key, tags.bitString));
  if (oid === oids.rsaEncryption) {
    const modulusBits = unsignedHex(contentOf(readSequence(bits)[0], tags.integer)).length * 4;
    return modulusBits >= 2048 && modulusBits <= 8192 ? 'rsa' : 'weak';
  }
  const curve = oid === oids.ecPublicKey ? readSequence(algorithm.whole)[1] : undefined;
  if (curve?.tag !== tags.oid) return 'weak';
  const name = oidText(curve.content);
  if (name === oids.p256) return 'p256';
  return name === oids.p384 ? 'p384' : 'weak';
}

/** OID of an AlgorithmIdentifier, as text. */
export function algorithmOid(der: Buffer): string {
  return oidText(contentOf(readSequence(der)[0], tags.oid));
}
