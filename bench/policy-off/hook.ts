import { registerHooks } from 'node:module';

// node --import THIS cli/main.ts agent …: the agent with our PortHttp in place of its own. The product has no such switch.

const judging = '/agent/inbound/port-http.ts';
const passing = new URL('port-http.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const found = nextResolve(specifier, context);
    const isOurs = context.parentURL === passing;
    return found.url.endsWith(judging) && !isOurs ? { ...found, url: passing } : found;
  },
});
