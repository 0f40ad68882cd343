/** Source files by path from the top folder, e.g. `certs/svid.ts`, with their text. */
export type Sources = ReadonlyMap<string, string>;

export interface Import {
  /** The importing file. */
  readonly from: string;
  /** As written: `./svid.ts`, `#certs/svid.ts`, `node:tls`, `@grpc/grpc-js`. */
  readonly specifier: string;
}

/** Strings and templates are matched first so that a `//` inside one is not taken for a comment. */
const stringOrComment = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')`, `require('x')`; type imports count as well. */
const importForms =
  /(?:^|[;}\s])(?:import|export)\s(?:[\w$*{},\s]*?\sfrom\s*|\s*)(['"])([^'"\n]+)\1|\b(?:import|require)\s*\(\s*(['"`])([^'"`\n]+)\3/g;

/** Every import that `text` states, in order. */
export function importsOf(from: string, text: string): readonly Import[] {
  const code = text.replaceAll(stringOrComment, (match) => (match.startsWith('/') ? ' ' : match));
  return [...code.matchAll(importForms)].map((found) => ({ from, specifier: found[2] ?? found[4] ?? '' }));
}

/** The file of ours that an import means, or undefined for a package or a Node module. `#certs/x.ts` is `certs/x.ts`. */
export function targetOf({ from, specifier }: Import): string | undefined {
  if (specifier.startsWith('#support/')) return `test/support/${specifier.slice('#support/'.length)}`;
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (!specifier.startsWith('.')) return undefined;
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** The package an import enters, e.g. `@grpc/grpc-js`, `node-forge`, `node:sqlite`; undefined for files of ours. */
export function packageOf({ specifier }: Import): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('#')) return undefined;
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** The files of one cycle, first one repeated at the end; undefined when there is none. */
export function findCycle(sources: Sources): readonly string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    const text = sources.get(file);
    if (text === undefined || done.has(file)) return undefined;
    path.push(file);
    for (const target of importsOf(file, text).map(targetOf)) {
      const cycle = target === undefined ? undefined : visit(target);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of sources.keys()) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}
