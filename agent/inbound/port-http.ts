import type { Answer } from '#agent/http/answers.ts';
import type { RequestHead, UnreadProblem } from '#agent/http/head.ts';
import { LastAdmission, type Forward } from '#agent/http/last-admission.ts';
import type { Forwarded, Upstream } from '#agent/http/message.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import type { Admission, HttpService, Later } from '#agent/http/service.ts';
import { ServiceParts } from '#agent/http/service-parts.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import type { InboundPortConfig } from '#agent/config-types.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { HttpCall } from '#policy/model.ts';
import type { PathProblem } from '#policy/path.ts';
import type { Result } from '#runtime/result.ts';
import type { PresentedAccessToken } from '#tokens/access-token.ts';
import { appTarget, type AppTarget } from './app-target.ts';
import type { CallerParts, Proof } from './inbound-parts.ts';
import type { InboundPeer } from './inbound-peer.ts';
import { setIdentityHeaders, type CallerIdentity } from './identity-headers.ts';
import { httpCall } from './http-call.ts';
import { isOddlySpelt } from './odd-method.ts';
import { PortTokens, type TokenRefusal } from './port-tokens.ts';
import { PortJudge, type Permit, type Refusal, type Standing } from './permit.ts';
import { isKept } from './refusal-book.ts';
import { createInboundReport } from './plaintext-report.ts';
import type { AppProblem, InboundReport } from './report.ts';

export interface PortHttpOrder {
  readonly port: InboundPortConfig;
  readonly upstream: Upstream<AppProblem>;
  /** Undefined: yes. */
  readonly takesGrpc?: () => boolean;
  readonly onClosed: () => void;
}

/** What an admission rests on. */
interface Basis {
  readonly standing: Standing;
  readonly token: PresentedAccessToken | undefined;
}

/** What the app is told of the caller. */
interface Told {
  readonly identity: CallerIdentity | undefined;
  readonly token: PresentedAccessToken | undefined;
}

interface Asked {
  readonly head: RequestHead;
  readonly target: AppTarget;
}

/**
 * HTTP of one caller to one port of the app: each request is judged by its head, before a byte of its body is read, and
 * forwarded to the path that was judged. The same head under the same verdict is the same admission.
 */
export class PortHttp extends ServiceParts implements HttpService<AppProblem> {
  readonly #parts: CallerParts;
  readonly #proof: Proof;
  readonly #order: PortHttpOrder;
  readonly #judge: PortJudge;
  readonly #report: InboundReport;
  readonly #last = new LastAdmission<AppProblem>();
  /** Where the last head wants to go. */
  #lastHead: RequestHead | undefined;
  #lastTarget: Result<AppTarget, PathProblem> | undefined;
  /** As the app is told of the caller where it proved who it is, and the standing under which that was found out. */
  #identity: CallerIdentity | undefined;
  #identified: Standing | undefined;
  /** Undefined: the port asks for no token. */
  readonly #tokens: PortTokens | undefined;
  /** What the last admission rests on: another object whenever one of the two is another. */
  #basis: Basis | undefined;

  constructor(parts: CallerParts, proof: Proof, order: PortHttpOrder) {
    super(parts);
    this.#parts = parts;
    this.#proof = proof;
    this.#order = order;
    this.#judge = new PortJudge(parts.policy, order.port.port);
    this.#report = createInboundReport(parts, proof.peer, order.port.port);
    const tokens = parts.tokensOf(order.port);
    this.#tokens = tokens && new PortTokens(tokens);
  }

  admit(head: RequestHead): Later<Admission<AppProblem>> {
    const report = this.#report;
    const { peer } = this.#proof;
    report.begun();
    if (head.form === 'authority') return { kind: 'answer', answer: report.refused('bad-target', head) }; // CONNECT is for proxies
    if (isOddlySpelt(head.method)) return { kind: 'answer', answer: report.refused('unknown-method', head) };
    const target = this.#targetOf(head);
    if (!target.ok) return { kind: 'answer', answer: report.unclearPath(target.reason, head) };
    const standing = this.#judge.standing(peer, this.clock.now());
    if (!standing.ok) return { kind: 'answer', answer: this.#deny(standing.reason, head, target.value) };
    if (this.#tokens === undefined)
      return this.#admitAs({ standing: standing.value, token: undefined }, head, target.value);
    return this.#admitWithToken(this.#tokens, standing.value, { head, target: target.value });
  }

  /** A token with a key that nobody knows may wait for a fetch; then everything is asked anew. */
  #admitWithToken(tokens: PortTokens, standing: Standing, asked: Asked): Later<Admission<AppProblem>> {
    const token = tokens.judge(asked.head, this.#proof.peer);
    if (token.ok) return this.#admitAs({ standing, token: token.value }, asked.head, asked.target);
    const fetched = token.reason === 'unknown-kid' ? tokens.awaitKeys(asked.head) : undefined;
    if (fetched === undefined) return this.#denyToken(token.reason, asked);
    return fetched.then(() => {
      const now = this.#judge.standing(this.#proof.peer, this.clock.now());
      if (!now.ok) return { kind: 'answer', answer: this.#deny(now.reason, asked.head, asked.target) };
      const again = tokens.judge(asked.head, this.#proof.peer);
      if (!again.ok) return this.#denyToken(again.reason, asked);
      return this.#admitAs({ standing: now.value, token: again.value }, asked.head, asked.target);
    });
  }

  #denyToken(token: TokenRefusal, { head, target }: Asked): Admission<AppProblem> {
    return { kind: 'answer', answer: this.#deny({ reason: 'token-refused', token }, head, target) };
  }

  #admitAs(found: Basis, head: RequestHead, target: AppTarget): Admission<AppProblem> {
    const report = this.#report;
    const known = this.#basis;
    const basis = known?.standing === found.standing && known.token === found.token ? known : found;
    this.#basis = basis;
    const last = this.#last.find(head, basis);
    const { inFlight, streams } = this.#parts;
    if (inFlight.isFull || (head.upgrade !== undefined && streams.isFull)) {
      return { kind: 'answer', answer: report.notAdmitted('too-many-requests', head) };
    }
    if (last !== undefined) {
      this.#count(head, target);
      return last;
    }
    return this.#decide(head, target, basis);
  }

  #decide(head: RequestHead, target: AppTarget, basis: Basis): Admission<AppProblem> {
    const report = this.#report;
    const { standing, token } = basis;
    const tokens = this.#tokens;
    const { permit, notes } = this.#judge.judge(standing, this.#callOf(head, target, token), this.clock.now());
    report.noted(notes);
    if (!permit.ok) return { kind: 'answer', answer: this.#deny(permit.reason, head, target, token) };
    const isAudited = token !== undefined && tokens?.isForAnother(token) === true;
    if (isAudited) report.tokenAudited(token.audience);
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return { kind: 'answer', answer: report.refused(headers.reason, head) };
    const request = {
      head,
      target: target.text,
      headers: this.#passed(headers.value, token),
      filterFields: stripReserved,
    };
    this.#count(head, target);
    if (standing !== this.#identified) this.#identity = undefined;
    this.#identified = standing;
    this.#identity ??= this.#identityOf(standing.peer);
    const admission = this.#forward(permit.value, request, { identity: this.#identity, token });
    const isQuiet = notes.audited.length === 0 && notes.dryRun.length === 0 && !isAudited; // others are noted each time
    if (isQuiet) this.#last.keep(head, basis, admission);
    return admission;
  }

  revoked(head: RequestHead): Answer | undefined {
    const target = appTarget(head);
    if (!target.ok) return undefined; // was never admitted
    const token = this.#tokens?.recheck(head);
    const call = this.#callOf(head, target.value, token?.ok === true ? token.value : undefined);
    const refusal =
      token?.ok === false
        ? ({ reason: 'token-refused', token: token.reason } as const)
        : this.#judge.refusalOf(this.#proof.peer, call, this.clock.now());
    if (refusal === undefined) return undefined;
    return this.#keep(this.#report.revoked(refusal), refusal, { head, call });
  }

  #deny(refusal: Refusal, head: RequestHead, target: AppTarget, token?: PresentedAccessToken): Answer {
    return this.#keep(this.#report.denied(refusal, head), refusal, { head, call: this.#callOf(head, target, token) });
  }

  #callOf(head: RequestHead, { path }: AppTarget, token: PresentedAccessToken | undefined): HttpCall {
    const tokens = this.#tokens;
    return httpCall(head, path, tokens && { header: tokens.header, token });
  }

  /** To the app: all but what is ours, and of the token what it shall get. */
  #passed(headers: readonly HeaderField[], token: PresentedAccessToken | undefined): readonly HeaderField[] {
    return token === undefined || this.#tokens === undefined ? headers : this.#tokens.strip(headers);
  }

  /** So that the answer's decision can be explained. */
  #keep(answer: Answer, refusal: Refusal, { head, call: http }: { head: RequestHead; call: HttpCall }): Answer {
    const { policy, refusals } = this.#parts;
    const call = { principal: this.#proof.peer.spiffeId, port: this.#order.port.port, http };
    if (isKept(head)) refusals.keep(answer.decisionId, { atMs: this.clock.now(), refusal, call, policy: policy() });
    return answer;
  }

  refused(reason: UnreadProblem): Answer {
    return this.#report.unread(reason);
  }

  closed(): void {
    this.#order.onClosed();
  }

  #targetOf(head: RequestHead): Result<AppTarget, PathProblem> {
    if (head !== this.#lastHead) {
      this.#lastTarget = appTarget(head);
      this.#lastHead = head;
    }
    return this.#lastTarget!;
  }

  #count(head: RequestHead, { path }: AppTarget): void {
    this.#report.permitted(head, path);
    this.#report.admitted();
    if (head.upgrade !== undefined) this.#report.upgradeAdmitted();
  }

  /** To the app, with the caller's verified identity, if it has one, and no other. Asks for a Permit. */
  #forward(_permit: Permit, request: Forwarded, { identity, token }: Told): Forward<AppProblem> {
    const headers = setIdentityHeaders(request.headers, identity);
    if (token !== undefined) this.#tokens?.tell(headers, token);
    const { upstream, takesGrpc } = this.#order;
    const forwarded = { ...request, headers, written: undefined };
    return { kind: 'forward', request: forwarded, upstream, report: this.#report, ...(takesGrpc && { takesGrpc }) };
  }

  #identityOf(peer: InboundPeer): CallerIdentity | undefined {
    if (peer.spiffeId === undefined) return undefined;
    const { spiffeId, svid } = peer;
    return { spiffeId, thumbprint: svid.thumbprint, subject: svid.subject, by: this.#parts.self() };
  }
}
