import type { Forwarded } from './message.ts';

/**
 * A request as it goes out on a connection with this certificate of ours; undefined: what belongs to it must be obtained
 * first. It is made once for each field, so a request that is repeated costs nothing.
 */
export function attachedRequest(request: Forwarded, thumbprint: string): Forwarded | undefined {
  const bare = request.bare ?? request; // one that met a closing stream comes again, perhaps to another connection
  const { attachment } = bare;
  if (attachment === undefined) return request;
  const field = attachment.field(thumbprint);
  if (field === undefined) return undefined;
  const last = bare.attached;
  if (last !== undefined && last.field === field) return last.request;
  const { head, target, headers, filterFields } = bare;
  const made: Forwarded = { head, target, headers: [...headers, field], filterFields, written: undefined, bare };
  bare.attached = { field, request: made };
  return made;
}
