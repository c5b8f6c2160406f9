/** A host in its lobby (near midnight, in those of two UTC days), with its cards and knocks (protocol section 4). */
import { among, type Bytes, hex, type Rng, same, systemRng, utf8 } from "../../crypto/bytes";
import { SnugError, ValidationError } from "../../crypto/errors";
import type { HostKeys } from "../../crypto/entry/invite";
import { H } from "../../crypto/kdf";
import { type Answer, REASON_MAX, type Refusal, type ReplyBody } from "../../crypto/entry/answers";
import * as hosts from "../../crypto/entry/hostsLobby";
import * as lobby from "../../crypto/entry/lobby";
import { Knocks } from "../../crypto/entry/knocks";
import { loadLookAlikes } from "../../crypto/agreed/names";
import { ANY_HOST, Mode, type RejoinTicket, SINGLE_USE } from "../../crypto/agreed/roomState";
import type { ServerMessage } from "../../wire/messages";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import { Cards } from "./cards";
import type { Contacts } from "./contacts";
import type { Effect, EventOf, Knocked } from "../events";
import type { AddIntent, Knock, MemberKnock, RejoinIntent, ReplaceIntent } from "../kernel/intents";
import { inviteName, type InviteBook } from "./invites";
import type { Membership } from "../kernel/membership";
import type { Room } from "../kernel/ports";
import { SeenDigests } from "../kernel/outbox";
import { ticketOf } from "../kernel/views";
import { checkIdentity } from "./identityCheck";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";
import { CROWDED, LobbyConnections, daysAround, type PostedMessage } from "./lobbyConnections";
import { type Asked, type From, isSpent, openWithCards, replacesInvite } from "./openedKnocks";
import { LOOK_EVERY, type NameHolder, NameHolders, sameHolder, TELL_EVERY, warning, withHolder } from "./nameHolders";
import { PieceQueue } from "./pieceQueue";
import { Replies } from "./replies";
import { IS_FULL, IS_LOCKED, IS_OVER, IS_REPLACED, NAME_HELD, NAME_TAKEN, NO_MEMBER, NOT_LET_IN, notAdded } from "./refusals";
import { knownMember, ticketFrom } from "./tickets";

/** Maximum waiting knocks on one open invite, which a class may share. Other invites have the rest. */
export const KNOCKS_EACH = 240;
/** Minimum seconds between two rejoin requests of one member that count. */
export const REJOIN_EVERY = 1;

export interface HostLobbyFacts {
  readonly keys: HostKeys;
  readonly secret: Bytes;
  readonly origin: string;
  readonly book: InviteBook;
  /** Revokes a single-use invite everywhere: it leaked while a knock waited on it. */
  readonly takeBack: (index: number) => void;
  /** Counts the knocks of newcomers, and requests. */
  readonly nextNumber: () => number;
  readonly contacts: Contacts | null;
  readonly now: number;
  readonly rng?: Rng;
}

/** A host in its lobby: posts cards, reads knocks, and answers when the commit has come back. */
export class HostLobby {
  readonly effects: Effect[] = [];
  readonly #takeBack: (index: number) => void;
  readonly #contacts: Contacts | null;
  keys: HostKeys;
  readonly #rng: Rng;
  readonly #connections: LobbyConnections;
  readonly #cards: Cards;
  readonly #knocks: Knocks;
  readonly #book: InviteBook;
  readonly #known = new Set<number>();
  readonly #shut = new Set<number>();
  /** Knocks whose Add is under way. */
  readonly #admitted = new Set<number>();
  /** Newcomers, by number. */
  #asked = new Map<number, Asked>();
  /** Members out of step, by number. */
  #rejoining = new Map<number, Asked>();
  /** Knocks that none of our cards opens: the server can repeat each of them at no cost. */
  readonly #unreadable = new SeenDigests();
  #rejoins = 0;
  /** signature key (hex) -> when we accepted its last request */
  readonly #rejoinedAt = new Map<string, number>();
  /** Keys whose rejoin failed: reported once. */
  readonly #notLetIn = new Set<string>();
  /** After a lost connection the same knock comes again. */
  readonly #replied = new Replies();
  readonly pieces: PieceQueue;
  #now = 0;
  #lookedAt = 0;

  static async open(facts: HostLobbyFacts): Promise<HostLobby> {
    await loadLookAlikes();
    const host = new HostLobby(facts);
    await host.tick(facts.now);
    return host;
  }

  private constructor({ keys, secret, origin, book, takeBack, nextNumber, contacts, rng = systemRng }: HostLobbyFacts) {
    this.#knocks = new Knocks(KNOCKS_EACH, nextNumber);
    this.#takeBack = takeBack;
    this.#contacts = contacts;
    this.keys = keys;
    this.#rng = rng;
    this.#connections = new LobbyConnections(secret, [origin], this.effects, rng);
    this.#cards = new Cards(origin, this.#connections, rng);
    this.pieces = new PieceQueue(this.#connections);
    this.#book = book;
  }

  /** Stay in today's lobby, near midnight in two; post cards; erase old secrets. */
  async tick(now: number): Promise<void> {
    this.#now = now;
    this.#replied.expire(now);
    await this.#connections.stayIn(daysAround(now), now);
    await this.pieces.tick(now);
    await this.#cards.answer(this.keys, now);
    const patient = new Set([...this.#knocks.waiting(now).map(({ id }) => id), ...this.#admitted]);
    this.#asked = new Map([...this.#asked].filter(([number]) => patient.has(number)));
  }

  /** Handle a lost connection to a lobby. */
  lost = (day: number, now: number): void => this.#connections.lost(day, now);

  /** Be where the room is. */
  follow = (origin: string): Promise<void> => this.#connections.go(origin);

  /** Connect at once where we are about to. */
  hurry = (now: number): void => this.#connections.hurry(now);

  /** Close an invite, and refuse its knocks. */
  async revoke(index: number): Promise<void> {
    if (this.#shut.has(index)) return;
    this.#shut.add(index);
    this.#issued(index);
    for (const [number, asked] of [...this.#asked])
      if (asked.knock.index === index && !this.#admitted.has(number)) await this.#refuse(number, IS_OVER);
    this.#knocks.revoke(index);
  }

  /** Refuse all waiting knocks: the room is locked. */
  async lock(now: number): Promise<void> {
    for (const { id } of this.#knocks.waiting(now)) {
      this.#knocks.take(id, now);
      await this.#refuse(id, IS_LOCKED);
    }
  }

  /** Record that a newcomer was admitted by that invite. */
  used(index: number): void {
    this.#issued(index);
    this.#knocks.use([index]);
  }

  /** Return whether a knock has used that invite. */
  knows(index: number): boolean {
    return this.#known.has(index);
  }

  #issued(index: number): void {
    if (this.#known.has(index)) return;
    this.#known.add(index);
    this.#knocks.issue(index, (index & SINGLE_USE) !== 0);
  }

  /**
   * Process a message from the server, and return the work that is left for the session.
   *
   * That is a knock that the host is to be asked about, a member's new leaf that the room is to commit, or a posted
   * message: one under the key that members have (for `recovery.RejoinHelper`), or another host's card.
   */
  async received(
    day: number,
    message: ServerMessage,
    room: Room,
    now: number,
  ): Promise<Knocked | RejoinIntent | PostedMessage | null> {
    const posted = await this.#connections.received(day, message);
    if (typeof posted === "boolean") return null;
    const { message: said, handle } = posted;
    if (said.type === "CardRequest") {
      this.#cards.ask(day, handle, said.nonce);
      await this.#cards.answer(this.keys, now);
    } else if (said.type === "RecoveryMessage" || said.type === "Card") return posted;
    else if (said.type === "Knock") return await this.#knocked({ day, handle }, said, room, now);
    return null;
  }

  /** The days whose lobbies we have entered. */
  get entered(): ReadonlySet<number> {
    return this.#connections.entered;
  }

  /** Post a message in that day's lobby, for the connections with these handles, or (none) for all. */
  async post(day: number, message: lobby.LobbyMessage, ...to: Bytes[]): Promise<void> {
    await this.#connections.post(day, message, ...to);
  }

  /** Return the tokens that prove an invite: of an own one, in the generation of its link alone. */
  readonly #tokens = (index: number): [Bytes, Bytes][] => {
    const made = this.#book.madeIn(index);
    return this.keys.tokens(index).filter(([hostPublic]) => made === null || same(made, hostPublic));
  };

  async #knocked(from: From, knock: lobby.Knock, room: Room, now: number): Promise<Knocked | RejoinIntent | null> {
    const { membership: m } = room;
    const digest = H(knock.enc, knock.ciphertext);
    const mark = hex(digest);
    const replied = this.#replied.get(mark);
    if (replied !== undefined) {
      await this.pieces.reply(mark, from, replied, now);
      await this.pieces.tick(now);
      return null;
    }
    const waiting = [...this.#asked.values(), ...this.#rejoining.values()].find((asked) => asked.mark === mark);
    if (waiting !== undefined) {
      waiting.handle = from.handle;
      await this.#inform(waiting, { type: "Received" });
      return null;
    }
    if (this.#unreadable.has(digest)) return null;
    const opened = await openWithCards(this.#cards.secrets, knock, this.#tokens, m.group.suite, now);
    if (opened === null) {
      this.#unreadable.add(digest);
      return null;
    }
    const { keyPackage, identity } = opened;
    const ticket = ticketOf(keyPackage);
    const who = hex(keyPackage.leafNode.signatureKey);
    const asked: Asked = { knock: opened.knock, ...from, keyPackage, ticket, mark, who, holder: null, toldAt: now };
    if (ticket !== null) return await this.#rejoin(asked, ticket, m, now);
    if (identity.name !== opened.knock.name || identity.flags !== 0) return null;
    if (await this.#knockedAgain(asked, m, now)) return null;
    this.#issued(opened.knock.index);
    asked.holder = new NameHolders(room, now).of(opened.knock);
    return (await this.#turnedAway(asked, m)) ? null : await this.#consider(asked, m, now);
  }

  /**
   * Handle another knock of somebody whom we know by the signature key; return whether it is one.
   *
   * The newer KeyPackage counts as long as the older one is in no commit, and no person is asked twice. A member has
   * lost its answer: it rejoins, even if it was removed for absence meanwhile.
   */
  async #knockedAgain(asked: Asked, m: Membership, now: number): Promise<boolean> {
    if ((await knownMember(m, asked.keyPackage.leafNode.signatureKey)) !== null) {
      const { slot, chain } = m.journal;
      await this.#inform(asked, { type: "AlreadyMember", groupId: m.group.groupId, slot, chain });
      return true;
    }
    const known = [...this.#asked].find(([, { who }]) => who === asked.who);
    if (known?.[1].knock.index !== asked.knock.index) return false;
    const [number, earlier] = known;
    if (this.#admitted.has(number)) earlier.handle = asked.handle;
    else if (this.#knocks.renew(number, asked.knock, now))
      this.#asked.set(number, { ...earlier, ...asked, holder: earlier.holder, toldAt: earlier.toldAt });
    else return false;
    await this.#inform(asked, { type: "Received" });
    return true;
  }

  /** Return the question for our person, if there is space for another knock. */
  async #consider(asked: Asked, m: Membership, now: number): Promise<Knocked | null> {
    const opened = asked.knock;
    const { name, greeting, index: invite } = opened;
    const outcome = this.#knocks.consider(opened, now, replacesInvite(asked));
    if (outcome.type === "Ignored") return null;
    await this.#inform(asked, { type: "Received" });
    const others = this.#knocks.waiting(now).filter(({ id }) => id !== outcome.id);
    const seen = checkIdentity(
      name,
      opened.identity,
      this.#contacts,
      others.map((waiting) => [waiting.id, waiting.knock.name] as const),
    );
    this.#asked.set(outcome.id, asked);
    const older = !among(opened.hostPublic, m.policy.linkKeys.slice(-1));
    asked.knocked = {
      type: "Knocked", knock: outcome.id, name, greeting, invite, looksLike: null, label: this.#book.label(invite),
      ...seen,
      warnings: older ? [...seen.warnings, sentence("warning.older_link")] : seen.warnings,
      older, returning: false, silent: false, proof: null,
    };
    return withHolder(asked.knocked, asked.holder);
  }

  /**
   * Return the waiting knocks of which the host is told anew, because of the members whose names they have.
   *
   * A knock by a used invite is refused once nobody is there whose place it could take.
   */
  async reconsider(room: Room, now: number): Promise<Knocked[]> {
    const waiting = this.#knocks.waiting(now);
    if (waiting.length === 0 || now - this.#lookedAt < LOOK_EVERY) return [];
    this.#lookedAt = now;
    const holders = new NameHolders(room, now);
    const changed: Knocked[] = [];
    for (const { id } of waiting) {
      const asked = this.#asked.get(id);
      if (asked?.knocked === undefined) continue;
      const holder = holders.of(asked.knock);
      if (holder === null && asked.holder !== null && isSpent(asked, room.membership)) {
        this.#knocks.take(id, now);
        await this.#refuse(id, IS_OVER);
      } else if (!sameHolder(holder, asked.holder) && now - asked.toldAt >= TELL_EVERY) {
        [asked.holder, asked.toldAt] = [holder, now];
        changed.push(withHolder(asked.knocked, holder));
      }
    }
    return changed;
  }

  /**
   * Refuse a knock without asking a host if its invite is over or the room locked; return whether.
   *
   * Nothing is kept for it: the same knock gets the same answer again.
   */
  async #turnedAway(asked: Asked, m: Membership): Promise<boolean> {
    let reason: string;
    if (this.#opensNothing(asked, m)) reason = IS_OVER;
    else if (m.policy.mode === Mode.LOCKED) reason = IS_LOCKED;
    else return false;
    await this.#turnAway(asked, reason);
    return true;
  }

  #turnAway = (asked: Asked, reason: string): Promise<void> => this.#inform(asked, { type: "Refusal", reason });

  /** Send a reply that no person has decided, and that the same knock gets again. */
  async #inform({ knock, day, handle }: Asked, what: ReplyBody): Promise<void> {
    if (this.#connections.waiting >= CROWDED) return;
    await this.#connections.post(day, await hosts.reply(knock, what, this.#rng), handle);
  }

  /** Return whether that knock's invite is over; alarm the host, once an invite, if it has leaked. */
  #opensNothing(asked: Asked, m: Membership): boolean {
    const { index, name } = asked.knock;
    const single = (index & SINGLE_USE) !== 0;
    const removed = this.#book.removedWith(index);
    // A current or former member: no second use.
    const known = m.ledger.keys.has(asked.who);
    if (m.ledger.revoked.has(index) || (isSpent(asked, m) && !replacesInvite(asked))) {
      if (removed !== null && !known)
        this.#alarm(index, sentences.alarm("removed_knocks", { invite: this.#inviteName(index), removed, name }));
      else if (single && !known) this.#leaks(asked, this.#book.cameIn(index), true);
      return true;
    }
    if (this.#shut.has(index)) return true;
    const on = [...this.#asked.values()].filter((a) => a.knock.index === index);
    const other = on.find((a) => a.who !== asked.who);
    if (!single || other === undefined) return false;
    this.#leaks(asked, other.knock.name, false);
    this.#takeBack(index); // for all hosts; the other knock is refused before we go on
    return true;
  }

  #leaks(asked: Asked, earlier: string | null, cameIn: boolean): void {
    const { index, name } = asked.knock;
    const which = cameIn ? (earlier === null ? "somebody_in" : "came_in") : "both_wait";
    this.#alarm(index, sentences.alarm(`invite_leaked.${which}`, { invite: this.#inviteName(index), earlier, name }));
  }

  #alarm(index: number, alarm: EventOf<"Alarm">): void {
    if (this.#book.firstAlarm(index)) this.effects.push({ type: "Tell", event: alarm });
  }

  #inviteName(index: number): Sentence {
    return inviteName(index, this.#book.label(index));
  }

  async #rejoin(asked: Asked, encoded: Bytes, m: Membership, now: number): Promise<RejoinIntent | null> {
    if ([...this.#rejoining.values()].some((a) => same(a.keyPackage.encoded, asked.keyPackage.encoded))) return null;
    const known = await knownMember(m, asked.keyPackage.leafNode.signatureKey);
    if (known === null) {
      if (m.ledger.keys.has(asked.who)) await this.#turnAway(asked, NO_MEMBER);
      return null;
    }
    if (known.nameTaken) {
      await this.#turnAway(asked, NAME_TAKEN);
      return null;
    }
    if (now - (this.#rejoinedAt.get(asked.who) ?? 0) < REJOIN_EVERY) return null;
    let ticket: RejoinTicket | null;
    try {
      ticket = await ticketFrom(m, asked.keyPackage);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      await this.#turnAway(asked, IS_REPLACED);
      return null;
    }
    if (ticket === null || (ticket.by !== ANY_HOST && ticket.by !== m.ownLeaf)) return null;
    this.#rejoinedAt.set(asked.who, now);
    this.#rejoining = new Map([...this.#rejoining].filter(([, a]) => a.who !== asked.who));
    const knock: MemberKnock = { type: "MemberKnock", number: ++this.#rejoins };
    this.#rejoining.set(knock.number, asked);
    return { type: "RejoinIntent", knock, keyPackage: asked.keyPackage, ticket: encoded, name: known.name };
  }

  /** Return the numbers of the knocks that wait for our answer, except those that another host has admitted. */
  waiting(m: Membership, now: number): number[] {
    const waiting = this.#knocks.waiting(now).map(({ id }) => id);
    return waiting
      .filter((id) => !m.ledger.keys.has(this.#asked.get(id)?.who ?? ""));
  }

  #waits(number: number, now: number): Asked {
    const asked = this.#asked.get(number);
    if (asked === undefined || !this.#knocks.waiting(now).some(({ id }) => id === number))
      throw new CommandError(sentence("cannot.nobody_waits", { number }));
    return asked;
  }

  #holder = (number: number, room: Room, now: number): NameHolder | null =>
    new NameHolders(room, now).of(this.#waits(number, now).knock);

  #take(number: number, now: number): Omit<AddIntent, "type"> {
    const { knock, keyPackage } = this.#waits(number, now);
    this.#knocks.take(number, now);
    this.#admitted.add(number);
    return { knock: { type: "NewcomerKnock", number }, keyPackage, invite: knock.index, name: knock.name };
  }

  /**
   * Accept a knock as the host, for the room to commit.
   *
   * CommandError if none waits under that number, or if a member has its name.
   */
  admit(number: number, room: Room, now: number): AddIntent {
    const holder = this.#holder(number, room, now);
    if (holder !== null) throw new CommandError(warning(holder));
    return { type: "AddIntent", ...this.#take(number, now) };
  }

  /**
   * Accept a knock as the host, in place of the silent member whose name it has.
   *
   * CommandError if none waits under that number, or if it does not show what that member has shown.
   */
  replace(number: number, room: Room, now: number): ReplaceIntent {
    const holder = this.#holder(number, room, now);
    const { name } = this.#waits(number, now).knock;
    if (holder === null) throw new CommandError(sentence("cannot.replace", { name }));
    if (holder.proof === null) throw new CommandError(warning(holder));
    return { type: "ReplaceIntent", ...this.#take(number, now), leaf: holder.leaf, signatureKey: holder.key };
  }

  /** Refuse a knock as the host; CommandError if none waits under that number. */
  async refuse(number: number, now: number): Promise<void> {
    const { holder } = this.#waits(number, now);
    this.#knocks.take(number, now);
    await this.#refuse(number, holder === null ? NOT_LET_IN : NAME_HELD);
  }

  /** Inform both sides that a rule prevented an admission. */
  async notAdded(intent: AddIntent | ReplaceIntent | RejoinIntent, why: Sentence, m: Membership): Promise<void> {
    let text = notAdded(reasons.plain(why));
    const asked = intent.type === "RejoinIntent" ? undefined : this.#asked.get(intent.knock.number);
    if (asked !== undefined) {
      if (this.#opensNothing(asked, m)) text = IS_OVER;
      else if (m.policy.mode === Mode.LOCKED) text = IS_LOCKED;
    }
    await this.fail(intent.knock, text);
    if (intent.type === "RejoinIntent") {
      const key = hex(intent.keyPackage.leafNode.signatureKey);
      if (this.#notLetIn.has(key)) return;
      this.#notLetIn.add(key);
    }
    this.effects.push({ type: "Tell", event: sentences.alarm("not_admitted", { name: intent.name, why }) });
  }

  #refuse = (number: number, reason: string): Promise<void> => this.fail({ type: "NewcomerKnock", number }, reason);

  /** Refuse a knock, with the reason (cut to 280 bytes). */
  async fail(knock: Knock, reason: string): Promise<void> {
    const asked = this.#answered(knock);
    if (asked === undefined) return;
    // A character that is cut in two at the end is left out.
    const short = new TextDecoder().decode(utf8(reason).subarray(0, REASON_MAX), { stream: true });
    await this.#reply(asked, { type: "Refusal", reason: short });
  }

  /**
   * Answer a knock whose commit has come back, with the Welcome and what belongs to it. `pieces`: those that it lists.
   * Returns the identity (32 bytes) that the newcomer showed; null without one.
   */
  async answer(knock: Knock, answer: Answer, pieces: readonly lobby.Piece[] = []): Promise<Bytes | null> {
    const asked = this.#answered(knock);
    if (asked === undefined) return null;
    await this.#reply(asked, answer, pieces);
    return asked.knock.identity;
  }

  /** Return what waits for the answer that we are about to give; undefined if nothing does any more. */
  #answered({ type, number }: Knock): Asked | undefined {
    if (type === "MembersRequest") return undefined;
    if (type === "NewcomerKnock") this.#admitted.delete(number);
    const waiting = type === "NewcomerKnock" ? this.#asked : this.#rejoining;
    const asked = waiting.get(number);
    waiting.delete(number);
    return asked;
  }

  async #reply(asked: Asked, answer: Answer | Refusal, pieces: readonly lobby.Piece[] = []): Promise<void> {
    let reply: lobby.Reply;
    try {
      reply = await hosts.reply(asked.knock, answer, this.#rng);
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      reply = await hosts.reply(asked.knock, { type: "Refusal", reason: IS_FULL }, this.#rng);
    }
    await this.pieces.reply(asked.mark, asked, this.#replied.add(asked.mark, reply, this.#now, pieces), this.#now);
  }

  /** Leave the lobby, and erase the cards. */
  close(): void {
    this.#cards.close();
    this.#connections.close();
  }
}
