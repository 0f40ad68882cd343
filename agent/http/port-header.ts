/** Names the port of an HTTP/2 request in a tunnel, as the CONNECT authority names it for a stream. Set by agents only. */
export const portHeader = 'x-eastwest-port';
