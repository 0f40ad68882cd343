import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { Identity } from '#agent/identity/store.ts';
import type { TokenWish } from '#agent/tokens/token-wish.ts';
import type { Exchange } from '#agent/tokens/token-source.ts';
import { trustDomainOf } from '#certs/spiffe-id.ts';
import { Fault } from '#runtime/fault.ts';
import { ok, refuse } from '#runtime/result.ts';
import { mintAccessToken } from '#tokens/mint.ts';
import { toSigningKey } from '#tokens/signing-key.ts';

/** What one question gets. */
export type TokenMood =
  | 'issue'
  | 'refuse'
  | 'down'
  /** Answers as `issue` when `release` is called. */
  | 'slow'
  /** A good token, for somebody else's audience. */
  | 'other-audience';

export interface TokenCall {
  readonly thumbprint: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  /** What was issued. */
  text: string | undefined;
}

/** An issuer of access tokens bound to the certificate it is asked with, whose mood the test sets. */
export class FakeTokenIssuer {
  readonly calls: TokenCall[] = [];
  mood: TokenMood = 'issue';
  lifeSeconds: number;
  readonly #issuer: string;
  readonly #key = toSigningKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  #waiting: (() => void)[] = [];

  constructor({ issuer = 'https://sts.test.example/', lifeSeconds = 300 } = {}) {
    this.#issuer = issuer;
    this.lifeSeconds = lifeSeconds;
  }

  release(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  readonly exchange: Exchange = async ({ svid }, wish) => {
    const { audience, scopes } = wish;
    const call: TokenCall = { thumbprint: svid.thumbprint, audience, scopes, text: undefined };
    this.calls.push(call);
    if (this.mood === 'down') throw new Fault('CONTROL_PLANE_UNREACHABLE', 'down by hand');
    if (this.mood === 'refuse') return refuse({ refused: 'invalid_target' });
    if (this.mood === 'slow') await new Promise<void>((resolve) => this.#waiting.push(resolve));
    call.text = await this.mint(svid, wish);
    return ok({ text: call.text, lifeMs: this.lifeSeconds * 1000 });
  };

  async mint({ spiffeId, thumbprint }: Identity['svid'], { audience, scopes }: TokenWish): Promise<string> {
    const minted = await mintAccessToken(
      {
        subject: spiffeId,
        clientId: spiffeId,
        tokenId: randomUUID(),
        audience: this.mood === 'other-audience' ? 'https://elsewhere.example/' : audience,
        scopes,
        certificateThumbprint: thumbprint,
        dpopThumbprint: undefined,
      },
      {
        issuer: this.#issuer,
        subjects: { trustDomains: [trustDomainOf(spiffeId)], ownNames: 'refuse' },
      },
      {
        key: this.#key,
        nowMs: Date.now(),
        lifetimeSeconds: this.lifeSeconds,
        maxLifetimeSeconds: Math.max(300, this.lifeSeconds),
      },
    );
    if (!minted.ok) throw new Error(minted.reason);
    return minted.value;
  }
}

/** The claims of a token, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
