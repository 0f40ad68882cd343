/** A line of an agent's access log, without its end: a call of cart to prices that was answered. */
export function accessLogLine(changes: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    time: '2026-03-01T12:00:00.000Z',
    workload: 'prices',
    spiffeId: 'spiffe://shop.example/ns/shop/sa/prices',
    direction: 'inbound',
    peer: 'spiffe://shop.example/ns/shop/sa/cart',
    destination: 'prices:7002',
    protocol: 'HTTP/1.1',
    method: 'GET',
    path: '/prices/tea',
    status: 200,
    durationMs: 1,
    requestBytes: 0,
    responseBytes: 3,
    outcome: 'ok',
    ...changes,
  });
}

/** Several, each with its end. */
export function accessLogText(...lines: readonly Readonly<Record<string, unknown>>[]): string {
  return lines.map((changes) => `${accessLogLine(changes)}\n`).join('');
}
