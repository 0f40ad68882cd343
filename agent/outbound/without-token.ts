import { isSpellingOf, type HeaderField } from '#agent/http/header-field.ts';
import type { TokenOnRoute } from './route.ts';

/** Fields without those under the name of a token that we attach, in any spelling: a copy that the app sends is not ours (A48). */
export function withoutToken<F extends readonly HeaderField[]>(fields: F, { header }: TokenOnRoute): F | HeaderField[] {
  const isFree = fields.every(({ name }) => !isSpellingOf(name, header));
  return isFree ? fields : fields.filter(({ name }) => !isSpellingOf(name, header));
}
