import { trustDomainOf } from '#certs/spiffe-id.ts';
import type { AuthorizationPolicy, DenyList, Operation, Pattern, PolicyDocument, Rule } from './model.ts';
import { namesDomain } from './patterns.ts';
import { PatternSet } from './match.ts';
import { patternText } from './policy-yaml.ts';
import type { ValueProblem } from './schema-issues.ts';

/** What documents are read against. */
export interface MeshFacts {
  /** The one that agents believe. */
  readonly trustDomain: string;
  readonly rootNamespace: string;
}

/** What a document says that somebody may not mean: it is good, and in force as it is written. */
export function warningsOf(document: PolicyDocument, mesh: MeshFacts): readonly ValueProblem[] {
  if (document.kind === 'DenyList') return denyListWarnings(document, mesh);
  if (document.kind === 'MeshPolicy') return document.defaultAction === 'allow' ? [openMesh] : [];
  if (document.kind !== 'AuthorizationPolicy') return [];
  return document.rules.flatMap((rule) => [
    ...domainWarnings(rule, mesh),
    ...rule.to.flatMap((operation, index) => {
      const at = `spec.${rule.path}.to[${index}].operation`;
      return [...headWarnings(document.action, operation, at), ...spellingWarnings(document.action, operation, at)];
    }),
  ]);
}

const openMesh = {
  path: 'spec.defaultAction',
  problem:
    'lets everybody of this trust domain call every workload that no ALLOW policy selects: write deny once each has one',
};

function denyListWarnings({ namespace, entries }: DenyList, mesh: MeshFacts): ValueProblem[] {
  const isNarrow = namespace !== mesh.rootNamespace;
  const only = `shuts out from workloads of ${namespace} alone: one in ${mesh.rootNamespace} is for all`;
  return [
    ...(isNarrow ? [{ path: 'metadata.namespace', problem: only }] : []),
    ...entries.flatMap((entry, index) => {
      const domain = 'spiffeId' in entry ? trustDomainOf(entry.spiffeId) : mesh.trustDomain;
      return domain === mesh.trustDomain ? [] : [foreign(`spec.entries[${index}].spiffeId`, domain, mesh)];
    }),
  ];
}

function domainWarnings({ path, from, when }: Rule, mesh: MeshFacts): ValueProblem[] {
  const lists = [
    ...from.flatMap(({ principals, notPrincipals }, index) => [
      [`from[${index}].source.principals`, principals] as const,
      [`from[${index}].source.notPrincipals`, notPrincipals] as const,
    ]),
    ...when.flatMap(({ key, values, notValues }, index) =>
      key.of === 'source.principal'
        ? [[`when[${index}].values`, values] as const, [`when[${index}].notValues`, notValues] as const]
        : [],
    ),
  ];
  return lists.flatMap(([at, list = []]) => {
    const domains = new Set(list.filter(namesDomain).map((each) => patternText(each).split('/', 1)[0] ?? ''));
    domains.delete(mesh.trustDomain);
    return [...domains].map((domain) => foreign(`spec.${path}.${at}`, domain, mesh));
  });
}

function foreign(path: string, domain: string, { trustDomain }: MeshFacts): ValueProblem {
  return {
    path,
    problem: `names the trust domain ${domain}, of which nobody is believed here: this mesh is ${trustDomain}`,
  };
}

/** A HEAD is answered as a GET is, without its content. */
function headWarnings(action: AuthorizationPolicy['action'], operation: Operation, at: string): ValueProblem[] {
  const isOpen = (list: readonly Pattern[] | undefined): boolean => {
    const methods = new PatternSet(list ?? []);
    return methods.has('GET') && !methods.has('HEAD');
  };
  if (action === 'DENY' && isOpen(operation.methods)) {
    return [{ path: `${at}.methods`, problem: 'lets HEAD pass, which tells what GET would: write GET and HEAD' }];
  }
  if (action !== 'ALLOW' || !isOpen(operation.notMethods)) return [];
  return [{ path: `${at}.notMethods`, problem: 'admits HEAD, which tells what GET would: write GET and HEAD' }];
}

/** What may stand in a path as it is (RFC 3986, section 3.3), but for `;` and `*`; and how it is encoded. */
const plain = /[!$&'()+,=:@]/g;
const encoded = /%(?:2[146789BC]|3[AD]|40)/g;

/** What refuses by path must know its other spelling. */
function spellingWarnings(action: AuthorizationPolicy['action'], operation: Operation, at: string): ValueProblem[] {
  const field = { DENY: 'paths', ALLOW: 'notPaths', AUDIT: undefined }[action] as 'paths' | 'notPaths' | undefined;
  const list = field === undefined ? [] : (operation[field] ?? []);
  const written = new Set(list.map(patternText));
  return [...written].flatMap((text) => {
    const other = otherSpelling(text);
    if (other === text || written.has(other)) return [];
    return [{ path: `${at}.${field}`, problem: `misses ${other}, which many apps take for ${text}: write both` }];
  });
}

/** All of it as it is, or all of it encoded. */
function otherSpelling(path: string): string {
  const decoded = path.replaceAll(encoded, (each) => decodeURIComponent(each));
  if (decoded !== path) return decoded;
  return path.replaceAll(plain, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
}
