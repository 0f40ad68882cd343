import type { ObservedCall } from '#policy/learn/observations.ts';
import { spiffeId } from './policies.ts';

/** Calls that an access log told of, each as `GET /a`, `GET :81 /a` or `tcp :5432`. */
export function observedCalls(
  requests: readonly string[],
  { from = 'cart', to = 'shop/prices' }: { readonly from?: string; readonly to?: string } = {},
): readonly ObservedCall[] {
  const [namespace = '', name = ''] = to.split('/');
  return requests.map((request) => {
    const [method = '', ...rest] = request.split(' ');
    const port = rest[0]?.startsWith(':') === true ? Number(rest.shift()?.slice(1)) : 7_002;
    return {
      workload: { trustDomain: 'a.test', namespace, name },
      principal: spiffeId(`spiffe://a.test/ns/shop/sa/${from}`),
      port,
      http: method === 'tcp' ? undefined : { method, path: rest[0] ?? '' },
    };
  });
}
