/**
 * Why the meeting ended: a member ended it, the server is down, or the server has dropped us.
 *
 * Protocol section 13. While the room is lost, a probe distinguishes these: a room that this member opens alone at
 * the same server, under a chain value that commits to the lost room's beats and receipts. The server's receipt for
 * it proves that the server was alive, and served others, after the members' last beats.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import * as evidence from "../../crypto/proof/evidence";
import * as invite from "../../crypto/entry/invite";
import { SigningKey } from "../../crypto/kdf";
import type { Challenge, ClientMessage, Closing, Opened, Refused, ServerMessage } from "../../wire/messages";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import { Feature } from "../kernel/feature";
import { connect, type InputOf, PROBE } from "../events";
import type { Room } from "../kernel/ports";
import { Drop, EXCUSES, numberOf, type ProbeRun, REFUSALS, STALLS } from "./drop";
import { ASLEEP, Monitor } from "./monitor";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";

/** Seconds without the room before the first probe; and between two probes. */
export const PROBE_AFTER = 1;
export const PROBE_EVERY = 10;
/** Seconds for one probe: more than for making a connection, so that one which is still open was made. */
export const PROBE_TIME = 6;
/** Maximum probes of one drop. */
export const PROBES_MAX = 12;
/** Seconds without the room before a drop by the server is reported. */
export const TELL_AFTER = 3;
export const OFTEN = 10;
export const OFTEN_WITHIN = 60;
export const OFTEN_AGAIN = 300;
/** Seconds after which a server that said that it was full no longer says so: we try more often than that. */
export const FULL_HOLDS = 5;
/** Seconds for which a server that we have left is still asked why. */
export const MOVED_TIME = 20;

/**
 * The server's claims that it has no place for us, or that it wants a password or token for the room.
 *
 * Strangers can cause the first, a restart the second.
 */
interface Full {
  readonly code: "full" | "permission";
  readonly since: number;
  at: number;
  text: string;
  told: boolean;
}

/** How a probe ended: whether the server was there, refused it itself, or signed it. */
interface ProbeEnd {
  readonly answered: boolean;
  readonly refused?: boolean;
  readonly receipt?: evidence.ProbeReceipt;
}

/** Watches the room's connection, and keeps evidence of its end. */
export class Dropped extends Feature {
  #ticked = Infinity;
  /** As of the last time in step, and where that was. */
  #serverKey: Bytes | null = null;
  #origin = "";
  #attempt = 0;
  #drop: Drop | null = null;
  /** The previous drop that was reported. */
  #last: Drop | null = null;
  /** The previous one that was not: the server refused us, or had another key afterwards. */
  #unreported: Drop | null = null;
  /** How many contradictions of the server are in the evidence file. */
  #inFile = 0;
  #words: evidence.ServerEvent[] = [];
  readonly #lostAt: number[] = [];
  #full: Full | null = null;
  #oftenTold = -Infinity;
  /** When the server was heard last on the room's connection. */
  #heardAt = -Infinity;
  /** The server's key (hex), if the last connection's challenge asks for no permission. */
  #openKey = "";
  /** Whether the connection ends for a reason that accuses nobody. */
  #excused = false;
  /** Whether it ends with a word of the server. */
  #refused = false;

  override carryOver(old: Room): void {
    const before = old.feature(Dropped);
    this.#serverKey = before.#serverKey;
    this.#attempt = before.#attempt;
    this.#drop = before.#drop;
    this.#last = before.#last;
    this.#words = before.#words;
    this.#origin = before.#origin;
    this.#heardAt = before.#heardAt;
    this.#openKey = before.#openKey;
    this.#unreported = before.#unreported;
    this.#inFile = before.#inFile;
  }

  // -- the connection --------------------------------------------------------------------------------------

  override synced(_now: number): void {
    this.#serverKey = this.room.serverKey;
    this.#origin = this.room.here.origin;
    this.#attempt = this.room.here.attempt;
  }

  override serverHeard(now: number): void {
    this.#heardAt = now;
  }

  override challenged({ server_key, permission }: Challenge): void {
    this.#openKey = permission === null ? hex(server_key) : "";
    if (this.#openKey) this.#drop?.openKeys.add(this.#openKey);
  }

  override serverNotice(notice: Refused | Closing, now: number): void {
    const { code, text } = notice;
    this.#note(now, code, text);
    if (notice.type === "refused" && !notice.fatal) return;
    const drop = this.#isAtDrop() ? this.#drop : null;
    this.#refused = true;
    if (EXCUSES.has(code)) this.#excused = true; // and so is the end of the connection that follows
    else if (drop !== null) drop.refusals += REFUSALS;
    if (code !== "full" && code !== "permission") return;
    if (this.#full?.code !== code) this.#full = { code, since: now, at: now, text, told: false };
    this.#full.at = now;
    this.#full.text = text;
    if (drop === null) return;
    drop.excuse = code;
    if (code === "permission" && this.room.serverKey !== null) drop.permissionKeys.add(hex(this.room.serverKey));
  }

  /** Keep a word of the server, or an act; a repeated one does not push out the others. */
  #note(now: number, code: string, text: string): void {
    const word = { at: Math.floor(now), code: evidence.clipped(code), text: evidence.clipped(text) };
    const last = this.#words.at(-1);
    if (last?.code === word.code && last.text === word.text) return;
    this.#words.push(word);
    if (this.#words.length > evidence.SERVER_EVENTS_MAX) this.#words.shift();
  }

  override lost(why: Sentence, now: number, byServer: boolean): void {
    const ended = byServer && !this.#excused;
    const refused = this.#refused;
    this.#excused = this.#refused = false;
    if (this.#serverKey === null) return; // we were never in: nothing could be dropped
    if (this.#drop !== null && this.#isAtDrop()) {
      this.#drop.failures++;
      if (ended) this.#drop.refusals++;
      this.#drop.refused ||= refused;
    }
    const { origin, attempt } = this.room.here;
    if (origin !== this.#origin || attempt !== this.#attempt) return; // we only look whether the others are there
    if (this.#drop !== null || this.room.leavesServer) return;
    this.#note(now, "lost", reasons.plain(why));
    this.#drop = this.#newDrop(now, this.#serverKey);
    this.#drop.refused = refused;
    this.#lostAt.push(now);
    if (this.#lostAt.length > OFTEN) this.#lostAt.shift();
  }

  #newDrop(at: number, serverKey: Bytes): Drop {
    const { beats, receipts } = this.room.feature(Monitor).record;
    const { origin, elsewhere } = this.room.here;
    return new Drop(
      at,
      beats.slice(-evidence.LISTED_MAX).map(({ beat, key }) => ({ key, beat })),
      receipts,
      serverKey,
      origin,
      elsewhere,
      this.#heardAt,
      this.#full?.code ?? "",
      this.#openKey,
    );
  }

  /** Return whether we are trying the server that we have lost. */
  #isAtDrop(): boolean {
    return this.#drop !== null && this.room.here.origin === this.#drop.origin;
  }

  /** Return whether the server lets us into the room, and the room is open. */
  #inside(): boolean {
    const there = this.room.handle.length > 0 && this.room.serverSlot !== null;
    return there && !this.room.awaitsEntry;
  }

  /**
   * Return whether the server of the drop lets us in with another key: a process that knows no rooms. We may have been
   * in step at another server since.
   */
  #restarted(drop: Drop): boolean {
    const key = this.room.serverKey;
    return this.room.handle.length > 0 && key !== null && !same(key, drop.serverKey);
  }

  override async tick(now: number): Promise<void> {
    const slept = now - this.#ticked;
    this.#ticked = now;
    const drop = this.#drop;
    const found = this.room.feature(Monitor).record.contradictions.length;
    if (found > this.#inFile && this.#serverKey !== null) {
      this.#inFile = found;
      await this.#saveUnasked(now);
    }
    if (this.#full !== null && (this.#inside() || now - this.#full.at > FULL_HOLDS)) this.#full = null;
    if (drop === null) {
      if (this.#full !== null) await this.#waitForAPlace(this.#full, null, now);
      return;
    }
    if (slept > ASLEEP) {
      if (drop.run !== null) this.room.perform({ type: "Disconnect", endpoint: PROBE });
      drop.wokeUp(now, slept);
    }
    const moved = !this.#isAtDrop();
    if (this.#inside() && (!moved || drop.toldAt !== null || now - drop.since > MOVED_TIME)) {
      await this.#back(drop, now);
      return;
    }
    this.#lookForTheRoom(drop, now);
    await this.#tickProbe(drop, now);
    if (this.#full !== null && !drop.isAct(now)) await this.#waitForAPlace(this.#full, drop, now);
    else await this.#judge(drop, now, moved);
  }

  /** Note when the process that had our room lets us in, and says that it has no such room. */
  #lookForTheRoom(drop: Drop, now: number): void {
    const { here, handle, serverKey, serverSlot } = this.room;
    const there = here.origin === this.#origin && here.attempt === this.#attempt && handle.length > 0;
    const roomless = there && serverKey !== null && same(serverKey, drop.serverKey) && serverSlot === null;
    drop.roomlessAt = roomless ? (drop.roomlessAt ?? now) : null;
  }

  /** Report what the server says: its other rooms may go on. Who was inside keeps evidence of it. */
  async #waitForAPlace(full: Full, drop: Drop | null, now: number): Promise<void> {
    if (!full.told && now - full.since >= TELL_AFTER) {
      full.told = true;
      const lost = drop?.excuse ? drop : null; // else another server says so
      this.room.tell(sentences.noPlace(full.code, full.text, lost === null ? null : sentences.proof(this.room)));
      if (lost !== null) await this.#keep(lost, now);
    } else if (full.told && drop !== null && now - full.since > this.room.options.patience) {
      await this.#saveUnasked(now);
      this.room.finish("dropped", sentence("dropped.gave_up", { what: sentence(`dropped.${full.code}`) }));
    }
  }

  /** Keep the evidence of a drop of which a person was told. */
  async #keep(drop: Drop, now: number): Promise<void> {
    drop.toldAt ??= now;
    await this.#saveUnasked(now);
  }

  async #back(drop: Drop, now: number): Promise<void> {
    const often = this.#lostAt.length === OFTEN && now - (this.#lostAt[0] ?? now) < OFTEN_WITHIN;
    if (often && now - this.#oftenTold > OFTEN_AGAIN) {
      this.#oftenTold = now;
      this.room.tell(sentences.alarm("dropped.often", { count: OFTEN }));
    }
    if (drop.run !== null) {
      this.room.perform({ type: "Disconnect", endpoint: PROBE });
      drop.run = null;
    }
    this.#drop = null;
    if (drop.toldAt !== null || drop.excuse) this.#last = drop;
    else if (drop.refused || this.#restarted(drop)) this.#unreported = drop; // what was answered to whom; the others can have seen no restart
    else return;
    await this.#saveUnasked(now);
  }

  // -- the probe -------------------------------------------------------------------------------------------

  async #tickProbe(drop: Drop, now: number): Promise<void> {
    const { run } = drop;
    if (run !== null && now - run.began > PROBE_TIME) {
      const text = `No new room was opened, signed or refused within ${PROBE_TIME} s.`;
      await this.#probeOver(drop, now, text, { answered: run.serverKey.length > 0 });
    }
    // the second of two probes, between which enough connections have failed, decides: it comes sooner
    const every = drop.failures >= STALLS && !drop.stalls ? PROBE_EVERY / 2 : PROBE_EVERY;
    const due = drop.probedAt === null ? now - drop.since >= PROBE_AFTER : now - drop.probedAt >= every;
    const needed = !drop.proven || drop.toldAt === null;
    if (drop.run === null && due && drop.probes < PROBES_MAX && needed) await this.#startProbe(drop, now);
  }

  async #startProbe(drop: Drop, now: number): Promise<void> {
    const rng = this.room.rng;
    const chain = evidence.probeChain(this.room.number, drop.beats, drop.receipts);
    const [doorKey, roomAdminKey] = [await SigningKey.generate(rng), await SigningKey.generate(rng)];
    drop.run = { began: now, doorKey, roomAdminKey, chain, serverKey: new Uint8Array() };
    drop.probes++;
    drop.probedAt = now;
    this.room.perform(connect(PROBE, drop.elsewhere));
  }

  override async further(what: InputOf<"Received"> | InputOf<"Lost">, now: number): Promise<void> {
    if (what.endpoint.further !== "probe") return;
    if (what.type === "Received") await this.#probeReceived(what.message, now);
    else await this.#probeLost(what, now);
  }

  async #probeReceived(message: ServerMessage, now: number): Promise<void> {
    const drop = this.#drop;
    const run = drop?.run ?? null;
    if (drop === null || run === null) return;
    if (message.type === "challenge") {
      run.serverKey = message.server_key;
      if (message.permission === null) drop.openKeys.add(hex(message.server_key));
      const { rng } = this.room;
      const nonce = rng(32);
      const text = invite.doorMessage(drop.origin, numberOf(run), message.nonce, nonce);
      const [door_key, room_admin_key] = [run.doorKey.public, run.roomAdminKey.public];
      const permit = this.room.permit; // that of the lost room is good for a probe
      this.#send({
        type: "room_door",
        door_key,
        room_admin_key,
        nonce,
        signature: await run.doorKey.sign(text),
        password: null,
        token: null,
        permit,
        probe: permit === null ? null : this.room.roomAdminKeys.number,
      });
      const gate = rng(32);
      const opening = invite.openMessage(numberOf(run), 0, gate, run.chain);
      const signature = await run.roomAdminKey.sign(opening);
      this.#send({ type: "open", slot: 0, gate, chain: run.chain, signature });
    } else if (message.type === "opened") {
      await this.#opened(drop, run, message, now);
    } else if (message.type === "refused" || message.type === "closing") {
      if (message.code === "permission") drop.permissionKeys.add(hex(run.serverKey));
      const why = `The server refused a new room with the code '${message.code}': ${message.text}`;
      await this.#probeOver(drop, now, why, { answered: true, refused: true });
    }
  }

  async #opened(drop: Drop, run: ProbeRun, opened: Opened, now: number): Promise<void> {
    try {
      const about = { number: numberOf(run), openingId: opened.opening_id, slot: 0, chain: run.chain };
      await invite.verifyOpened(run.serverKey, about, opened.signature);
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      const text = "The server opened a new room, and did not sign it.";
      await this.#probeOver(drop, now, text, { answered: true, refused: true });
      return;
    }
    const { opening_id, signature } = opened;
    const receipt = { number: numberOf(run), server_key: run.serverKey, opening_id, signature };
    const which = same(run.serverKey, drop.serverKey) ? "." : ", by another key: it was restarted.";
    await this.#probeOver(drop, now, `The server opened and signed a new room${which}`, { answered: true, receipt });
  }

  async #probeLost({ why, answered, byServer = false }: InputOf<"Lost">, now: number): Promise<void> {
    const drop = this.#drop;
    if (drop === null || drop.run === null) return;
    const there = answered || drop.run.serverKey.length > 0;
    const text = `No new room was opened: ${reasons.plain(why)}`;
    await this.#probeOver(drop, now, text, { answered: there, refused: byServer });
  }

  async #probeOver(drop: Drop, now: number, text: string, how: ProbeEnd): Promise<void> {
    const { answered, refused = false, receipt = null } = how;
    const probe = { at: Math.floor(now), text: evidence.clipped(text), receipt };
    if (drop.probed(probe, answered, refused)) this.room.hurry(now); // our own pause between two tries is no act of the server
    this.room.perform({ type: "Disconnect", endpoint: PROBE });
    if (drop.toldAt !== null) await this.#saveUnasked(now);
  }

  #send(message: ClientMessage): void {
    this.room.perform({ type: "Transmit", endpoint: PROBE, message });
  }

  // -- conclusions -----------------------------------------------------------------------------------------

  async #judge(drop: Drop, now: number, moved: boolean): Promise<void> {
    if (drop.probe === null || now - drop.since < TELL_AFTER) return;
    if (drop.isAct(now)) {
      // we went on elsewhere: it may be down by now, or a process that would let us in
      if (!moved || (drop.answered && drop.what !== "restarted")) await this.#accuse(drop, now, moved);
    } else if (!moved && (!drop.answered || this.#restarted(drop))) {
      if (!drop.toldAway && drop.toldAt === null) {
        drop.toldAway = true;
        this.room.tell(sentences.status(this.#restarted(drop) ? "away.restarted" : "away.unreachable"));
      }
    } else if (!moved && drop.stalls && drop.toldAt === null) {
      this.room.tell(sentences.dropped("unclear", this.room, { count: STALLS }));
      await this.#keep(drop, now);
    }
  }

  async #accuse(drop: Drop, now: number, moved: boolean): Promise<void> {
    if (drop.accusedAt === null) {
      drop.accusedAt = now;
      this.room.tell(sentences.dropped(drop.what, this.room));
      await this.#keep(drop, now);
    } else if (!moved && now - drop.accusedAt + TELL_AFTER > this.room.options.patience) {
      await this.#saveUnasked(now);
      this.room.finish("dropped", sentence("dropped.gave_up", { what: sentence(`dropped.${drop.what}`) }));
    }
  }

  // -- evidence --------------------------------------------------------------------------------------------

  /** Write evidence to a file; CommandError if no evidence exists yet. */
  async save(names: boolean, now: number): Promise<void> {
    this.room.perform({ type: "Save", what: "evidence", data: await this.export(names, now) });
  }

  async #saveUnasked(now: number): Promise<void> {
    const options = this.room.options;
    if (options.evidence) await this.save(options.evidenceNames, now);
  }

  /** The last drop that was reported and is over: we are in the room again, here or elsewhere. */
  get last(): Drop | null {
    return this.#last;
  }

  /** Return the evidence file, of our own exhibits. CommandError if we were never in step. */
  async export(names: boolean, now: number): Promise<Bytes> {
    return evidence.encode({ format: evidence.FORMAT, exhibits: await this.exhibits(names, now) });
  }

  /**
   * Return our exhibits, on now and the last drops, at least one. CommandError if we were never in step.
   *
   * They are about one server: that of the last drop, if the meeting has moved since.
   */
  async exhibits(names: boolean, now: number): Promise<evidence.Exhibit[]> {
    if (this.#serverKey === null) throw new CommandError(sentence("cannot.no_evidence"));
    const exhibits: evidence.Exhibit[] = [];
    const drops = [this.#unreported, this.#last, this.#drop].filter((drop) => drop !== null);
    const here = this.#origin;
    const about = drops.at(-1)?.origin ?? here;
    for (const drop of drops)
      if (drop.origin === about) exhibits.push(await this.#exhibit(drop, Math.floor(drop.at), drop.probe, names, now));
    if (this.#drop === null && about === here)
      exhibits.push(await this.#exhibit(this.#newDrop(now, this.#serverKey), null, null, names, now));
    return exhibits;
  }

  #exhibit(
    drop: Drop,
    droppedAt: number | null,
    probe: evidence.Probe | null,
    names: boolean,
    now: number,
  ): Promise<evidence.Exhibit> {
    const m = this.room.membership;
    const { contradictions } = this.room.feature(Monitor).record;
    const words = this.#words.slice(contradictions.length - evidence.SERVER_EVENTS_MAX);
    const leaves = names
      ? m.group
          .members()
          .map(({ leaf, leafNode }) => ({ leaf, group_id: m.group.groupId, node: leafNode.encoded }))
      : [];
    const unsigned: evidence.Exhibit = {
      at: Math.floor(now),
      origin: evidence.clipped(drop.origin),
      number: this.room.number,
      server_key: drop.serverKey,
      dropped_at: droppedAt,
      beats: drop.beats,
      receipts: drop.receipts,
      last_words: [...contradictions, ...words],
      probe,
      leaves,
      key: m.signatureKey(m.ownLeaf) ?? new Uint8Array(32),
      signature: new Uint8Array(64),
    };
    return evidence.signed(unsigned, (label, data) => m.sign(label, data));
  }
}
