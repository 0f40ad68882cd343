/** The one module of node-forge that we load. Its published types describe the package as a whole only. */
declare module 'node-forge/lib/asn1.js' {
  import type { asn1 } from 'node-forge';
  const module: typeof asn1;
  export = module;
}
