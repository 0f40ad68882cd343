import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Certificate } from './certificate.ts';
import { keyUsageBits, nameTags, oids } from './oids.ts';
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts';

export type LeafProblem =
  | 'no-uri-san'
  | 'several-uri-sans'
  | 'bad-spiffe-id'
  | 'leaf-is-ca'
  | 'bad-key-usage'
  | 'bad-extended-key-usage'
  | 'unknown-critical-extension'
  | 'validity-inverted'
  | 'weak-key';

/** What a leaf must be by itself (X509-SVID, sections 2, 4 and 5.2), and the name it then carries. */
export function readLeaf(leaf: Certificate): Result<SpiffeId, LeafProblem> {
  const { names, basicConstraints, keyUsage, extendedKeyUsage, unknownCritical } = leaf.extensions;
  if (unknownCritical.length > 0) return refuse('unknown-critical-extension');
  if (basicConstraints?.ca === true) return refuse('leaf-is-ca');
  const { digitalSignature, keyCertSign, crlSign } = keyUsageBits;
  if (!keyUsage?.critical || (keyUsage.bits & digitalSignature) === 0) return refuse('bad-key-usage');
  if ((keyUsage.bits & (keyCertSign | crlSign)) !== 0) return refuse('bad-key-usage');
  const purposes = extendedKeyUsage ?? [];
  if (!purposes.includes(oids.serverAuth) || !purposes.includes(oids.clientAuth))
    return refuse('bad-extended-key-usage');
  if (leaf.notAfterMs < leaf.notBeforeMs) return refuse('validity-inverted');
  if (leaf.keyKind === 'weak') return refuse('weak-key');
  const [uri, ...surplus] = names.filter((name) => name.tag === nameTags.uri);
  if (!uri) return refuse('no-uri-san');
  if (surplus.length > 0) return refuse('several-uri-sans');
  const spiffeId = parseSpiffeId(uri.content.toString('latin1'));
  return spiffeId.ok ? ok(spiffeId.value) : refuse('bad-spiffe-id');
}
