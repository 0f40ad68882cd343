import { hash } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import { commonNameOf, subjectText } from './distinguished-name.ts';
import { keyThumbprint } from './keys.ts';
import type { SpiffeId } from './spiffe-id.ts';

/** A checked X509-SVID. Only `verifySvid` and `checkIssued` make one. */
export interface X509Svid {
  readonly spiffeId: SpiffeId;
  /** Leaf first, then the intermediates up to, without, the root. */
  readonly chainDer: readonly Buffer[];
  /** Lower-case hex without leading zero bytes. */
  readonly serialHex: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of the leaf's DER, lower-case hex (`Hash` of XFCC; RFC 8705's x5t#S256 in another spelling). */
  readonly thumbprint: string;
  readonly keyThumbprint: string;
  /** One line as in RFC 4514, `''` when empty. */
  readonly subject: string;
  /** The subject's only one; undefined where it has none, or several. */
  readonly commonName: string | undefined;
}

export function toSvid(spiffeId: SpiffeId, leaf: Certificate, intermediates: readonly Certificate[]): X509Svid {
  return Object.freeze({
    spiffeId,
    chainDer: Object.freeze([leaf.der, ...intermediates.map((certificate) => certificate.der)]),
    serialHex: leaf.serialHex,
    notBeforeMs: leaf.notBeforeMs,
    notAfterMs: leaf.notAfterMs,
    thumbprint: hash('sha256', leaf.der),
    keyThumbprint: keyThumbprint(leaf.spkiDer),
    subject: subjectText(leaf.subjectDer),
    commonName: commonNameOf(leaf.subjectDer),
  });
}
