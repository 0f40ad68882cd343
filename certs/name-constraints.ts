import type { Certificate } from './certificate.ts';
import type { GeneralName } from './extensions.ts';
import { nameTags } from './oids.ts';

/**
 * Whether `issuer`'s name constraints admit the names of a certificate below it (RFC 5280, sections 4.2.1.10 and 6.1.4).
 * URIs and DNS names are compared; a constraint on a kind of name that we cannot compare admits no name of that kind.
 */
export function admitsNames(issuer: Certificate, certificate: Certificate): boolean {
  const constraints = issuer.extensions.nameConstraints;
  if (!constraints) return true;
  const { names } = certificate.extensions;
  const all = hasSubject(certificate)
    ? [...names, { tag: nameTags.directory, content: certificate.subjectDer }]
    : names;
  return all.every((name) => {
    const excluded = constraints.excluded.filter((base) => base.tag === name.tag);
    const permitted = constraints.permitted.filter((base) => base.tag === name.tag);
    if (excluded.some((base) => lies(name, base) !== 'outside')) return false;
    return permitted.length === 0 || permitted.some((base) => lies(name, base) === 'inside');
  });
}

const emptyNameBytes = 2;

function hasSubject(certificate: Certificate): boolean {
  return certificate.subjectDer.length > emptyNameBytes;
}

function lies(name: GeneralName, base: GeneralName): 'inside' | 'outside' | 'unknown' {
  const bound = base.content.toString('latin1').toLowerCase();
  const text = name.content.toString('latin1').toLowerCase();
  if (name.tag === nameTags.dns) {
    return bound === '' || text === bound || text.endsWith(bound.startsWith('.') ? bound : `.${bound}`)
      ? 'inside'
      : 'outside';
  }
  if (name.tag !== nameTags.uri) return 'unknown';
  const host = /^[a-z][a-z0-9+.-]*:\/\/([^/?#:@]+)(?:[/?#]|$)/.exec(text)?.[1];
  if (host === undefined) return 'unknown';
  return (bound.startsWith('.') ? host.endsWith(bound) : host === bound) ? 'inside' : 'outside';
}
