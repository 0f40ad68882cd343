import { sign } from 'node:crypto';
import { checkOrder, keyIdOf, notBeforeSlackMs, readIssuer, type Issuer } from './issue-svid.ts';
import { exportSpki, type KeyPair } from './keys.ts';
import { keyUsageBits, nameTags } from './oids.ts';
import * as x509 from './x509.ts';

export interface AuthorityOrder {
  readonly trustDomain: string;
  readonly issuedAtMs: number;
  /** Counted from issue; at least 2000. */
  readonly lifeMs: number;
  /** 16 random bytes, the first not 0 (`generateSerial`). Its first 8 hex digits tell authorities of one name apart. */
  readonly serial: Buffer;
}

/** A self-signed root, DER: may sign intermediates, and those only leaves. */
export function issueRoot(order: AuthorityOrder, keyPair: KeyPair): Buffer {
  checkOrder(order);
  const spkiDer = exportSpki(keyPair.publicKey);
  const name = authorityName('root', order);
  const tbs = x509.buildTbs({
    serial: order.serial,
    issuerDer: name,
    subjectDer: name,
    notBeforeMs: order.issuedAtMs - notBeforeSlackMs,
    notAfterMs: order.issuedAtMs + order.lifeMs,
    spkiDer,
    extensions: [...authorityExtensions(order.trustDomain, 1), x509.subjectKeyId(spkiDer)],
  });
  return x509.attachSignature(tbs, sign('sha256', tbs, keyPair.privateKey));
}

/** An intermediate, DER: may sign leaves of its trust domain, and not after its issuer's end. */
export async function issueIntermediate(
  order: AuthorityOrder & { readonly spkiDer: Buffer },
  issuer: Issuer,
): Promise<Buffer> {
  const authority = readIssuer(issuer.certificateDer);
  checkOrder(order, authority);
  const tbs = x509.buildTbs({
    serial: order.serial,
    issuerDer: authority.subjectDer,
    subjectDer: authorityName('intermediate', order),
    notBeforeMs: order.issuedAtMs - notBeforeSlackMs,
    notAfterMs: Math.min(order.issuedAtMs + order.lifeMs, authority.notAfterMs),
    spkiDer: order.spkiDer,
    extensions: [
      ...authorityExtensions(order.trustDomain, 0),
      ...nameConstraint(order.trustDomain),
      x509.subjectKeyId(order.spkiDer),
      x509.authorityKeyId(keyIdOf(authority)),
    ],
  });
  return x509.attachSignature(tbs, await issuer.sign(tbs));
}

function authorityExtensions(trustDomain: string, pathLength: number): x509.Asn1[] {
  const id = x509.generalName(nameTags.uri, `spiffe://${trustDomain}`); // a signing certificate's ID has no path
  return [
    x509.basicConstraints({ pathLength }),
    x509.keyUsage(keyUsageBits.keyCertSign | keyUsageBits.crlSign),
    x509.subjectAltName([id], 'not-critical'),
  ];
}

/** The trust domain as a URI host. Left out where it does not look like a host name: verifiers disagree about those. */
function nameConstraint(trustDomain: string): x509.Asn1[] {
  const isHost = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(trustDomain) && !/^[\d.]+$/.test(trustDomain);
  return isHost ? [x509.permittedUriHost(trustDomain)] : [];
}

/** `CN=Eastwest root shop.example 1f0c…`, at most 64 characters (RFC 5280, ub-common-name): a long trust domain is cut. */
function authorityName(kind: 'root' | 'intermediate', order: AuthorityOrder): Buffer {
  const generation = order.serial.toString('hex', 0, 4);
  return x509.commonName(`Eastwest ${kind} ${order.trustDomain.slice(0, 33)} ${generation}`);
}
