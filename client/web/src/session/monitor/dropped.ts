/**
 * Why the meeting ended: a member ended it, the server is down, or the server has dropped us.
 *
 * Protocol section 13. While the room is lost, a probe distinguishes these: a room that this member opens alone at
 * the same server, under a chain value that commits to the lost room's beats and receipts. The server's receipt for
 * it proves that the server was alive, and served others, after the members' last beats.
 */
import { type Bytes, same } from "../../crypto/bytes";
import { SnugCryptoError } from "../../crypto/errors";
import * as evidence from "../../crypto/proof/evidence";
import * as invite from "../../crypto/entry/invite";
import { SigningKey } from "../../crypto/kdf";
import type { ClientMessage, Opened, ServerMessage } from "../../wire/messages";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import { Feature } from "../kernel/feature";
import { connect, type InputOf, PROBE } from "../events";
import type { Room } from "../kernel/ports";
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
/** Seconds for the room's own connection to recover, after a probe has found the server, before a report. */
export const SETTLE = 2;
/** This many losses within so many seconds are reported, and not again for so many seconds. */
export const OFTEN = 10;
export const OFTEN_WITHIN = 60;
export const OFTEN_AGAIN = 300;
/**
 * Refusals of new connections that show that a server keeps us out, where the meeting has moved on: a notice of the
 * server counts twice. A single attempt can fail as the network comes back.
 */
export const REFUSALS = 2;
/** Seconds after which a server that said that it was full no longer says so: we try more often than that. */
export const FULL_HOLDS = 5;
/** Seconds for which a server that we have left is still asked why. */
export const MOVED_TIME = 20;
/** Seconds of absence after which a server may honestly have forgotten the room (30 s, less a margin). */
export const FORGOTTEN = 25;
/** The name of the evidence file that is saved without a request. */
export const EVIDENCE_FILE = "snug-evidence.json";

/** A probe's result for a server that has dropped us: it serves others (and by which key), or nobody new. */
type What = "serves" | "restarted" | "refuses" | "forgotten";

/** One probe under way. */
interface Run {
  readonly began: number;
  readonly doorKey: SigningKey;
  readonly roomAdminKey: SigningKey;
  readonly chain: Bytes;
  serverKey: Bytes;
}

const numberOf = (run: Run): Bytes => invite.roomNumber(run.doorKey.public, run.roomAdminKey.public);

/** One period without the room: the state when it began, and the findings since. */
export interface Drop {
  readonly at: number;
  readonly beats: readonly evidence.SignedHeartbeat[];
  readonly receipts: readonly evidence.Receipt[];
  readonly serverKey: Bytes;
  readonly origin: string;
  /** The same for a `Connect`: empty for the server of the link. */
  readonly elsewhere: string;
  /** As `at`, or when this machine woke up. */
  since: number;
  probes: number;
  probedAt: number | null;
  run: Run | null;
  /** The last finished probe. */
  probe: evidence.Probe | null;
  /** Whether the server was there at that probe. */
  answered: boolean;
  /** When a probe first found it there. */
  answeredAt: number | null;
  /** Seconds that this probe took: a busy computer needs more than that for the room. */
  took: number;
  toldAt: number | null;
  toldAway: boolean;
  /** Since when we have been trying that server; null: we try others. */
  hereAt: number | null;
  /** How often the server did not let us back in, although it was there. */
  refusals: number;
}

/** Whether the server with the lost room's key has signed the probe. */
export const proven = (drop: Drop): boolean => {
  const receipt = drop.probe?.receipt ?? null;
  return receipt !== null && same(receipt.server_key, drop.serverKey);
};

/** Begin anew after this machine has slept: the server was not asked, and our patience did not run. */
function wokeUp(drop: Drop, now: number, slept: number): void {
  drop.since = now;
  drop.run = drop.probe = drop.probedAt = drop.answeredAt = null;
  drop.answered = false;
  if (drop.toldAt !== null) drop.toldAt += slept;
}

/**
 * The server's claims that it has no place for us, or that it wants a password or token for the room.
 *
 * Strangers can cause the first, a restart the second, and nothing proves more.
 */
interface Full {
  readonly code: "full" | "permission";
  readonly since: number;
  at: number;
  text: string;
  told: boolean;
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
  #words: evidence.ServerEvent[] = [];
  readonly #lostAt: number[] = [];
  #full: Full | null = null;
  #oftenTold = -Infinity;

  override carryOver(old: Room): void {
    const before = old.feature(Dropped);
    this.#serverKey = before.#serverKey;
    this.#attempt = before.#attempt;
    this.#drop = before.#drop;
    this.#last = before.#last;
    this.#words = before.#words;
    this.#origin = before.#origin;
  }

  // -- the connection --------------------------------------------------------------------------------------

  override synced(_now: number): void {
    this.#serverKey = this.room.serverKey;
    this.#origin = this.room.here.origin;
    this.#attempt = this.room.here.attempt;
  }

  override serverNotice(code: string, text: string, now: number): void {
    this.#noted(now, code, text);
    this.#refused(REFUSALS);
    if (code !== "full" && code !== "permission") return;
    if (this.#full?.code !== code) this.#full = { code, since: now, at: now, text, told: false };
    this.#full.at = now;
    this.#full.text = text;
  }

  #noted(now: number, code: string, text: string): void {
    this.#words.push({ at: Math.floor(now), code: evidence.clipped(code), text: evidence.clipped(text) });
    if (this.#words.length > evidence.SERVER_EVENTS_MAX) this.#words.shift();
  }

  override lost(why: Sentence, now: number, answered: boolean): void {
    if (answered) this.#refused(1);
    // null: we were never in, and nothing could be dropped.
    if (this.#serverKey === null || this.#drop !== null || this.room.leavesServer) return;
    const { origin, attempt } = this.room.here;
    if (origin !== this.#origin || attempt !== this.#attempt) return; // we only look whether the others are there
    this.#noted(now, "lost", reasons.plain(why));
    this.#drop = this.#newDrop(now, this.#serverKey);
    this.#lostAt.push(now);
    if (this.#lostAt.length > OFTEN) this.#lostAt.shift();
  }

  /** Note that the server did not let us back in. */
  #refused(count: number): void {
    if (this.#drop !== null && this.room.here.origin === this.#drop.origin) this.#drop.refusals += count;
  }

  #newDrop(at: number, serverKey: Bytes): Drop {
    const { beats, receipts } = this.room.feature(Monitor).record;
    return {
      at,
      beats: beats.slice(-evidence.LISTED_MAX).map(({ beat, key }) => ({ key, beat })),
      receipts: receipts
        .slice(-evidence.LISTED_MAX)
        .map((r) => ({ number: r.number, server_key: r.serverKey, slot: r.slot, chain: r.chain, signature: r.signature })),
      serverKey,
      origin: this.room.here.origin,
      elsewhere: this.room.here.elsewhere,
      since: at,
      probes: 0,
      probedAt: null,
      run: null,
      probe: null,
      answered: false,
      answeredAt: null,
      took: 0,
      toldAt: null,
      toldAway: false,
      hereAt: null,
      refusals: 0,
    };
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
    if (this.#full !== null && (this.#inside() || now - this.#full.at > FULL_HOLDS)) this.#full = null;
    if (this.#full !== null) {
      this.#waitForAPlace(this.#full, now);
      return;
    }
    if (drop === null) return;
    if (slept > ASLEEP) {
      if (drop.run !== null) this.room.perform({ type: "Disconnect", endpoint: PROBE });
      wokeUp(drop, now, slept);
    }
    const moved = this.room.here.origin !== drop.origin;
    drop.hereAt = moved ? null : (drop.hereAt ?? now);
    if (this.#inside() && (!moved || drop.toldAt !== null || now - drop.since > MOVED_TIME)) {
      this.#back(drop, now);
      return;
    }
    if (drop.run !== null && now - drop.run.began > PROBE_TIME)
      await this.#probeOver(drop, now, "The server took a new connection, and said nothing.", true);
    const due = drop.probedAt === null ? now - drop.since >= PROBE_AFTER : now - drop.probedAt >= PROBE_EVERY;
    if (drop.run === null && due && drop.probes < PROBES_MAX && !proven(drop))
      await this.#startProbe(drop, now);
    await this.#judge(drop, now, moved);
  }

  /** Report what the server says, without evidence: its other rooms go on. */
  #waitForAPlace(full: Full, now: number): void {
    if (!full.told && now - full.since >= TELL_AFTER) {
      full.told = true;
      this.room.tell(full.code === "full" ? sentences.alarm("full", { why: full.text }) : sentences.alarm("unopened"));
    } else if (full.told && this.#drop !== null && now - full.since > this.room.options.patience) {
      this.room.finish("dropped", sentence("dropped.gave_up", { what: sentence(`dropped.${full.code}`) }));
    }
  }

  #back(drop: Drop, now: number): void {
    const often = this.#lostAt.length === OFTEN && now - (this.#lostAt[0] ?? now) < OFTEN_WITHIN;
    if (often && now - this.#oftenTold > OFTEN_AGAIN) {
      this.#oftenTold = now;
      this.room.tell(sentences.alarm("dropped.often", { count: OFTEN }));
    }
    if (drop.run !== null) {
      this.room.perform({ type: "Disconnect", endpoint: PROBE });
      drop.run = null;
    }
    if (drop.toldAt !== null) this.#last = drop;
    this.#drop = null;
  }

  // -- the probe -------------------------------------------------------------------------------------------

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
    else await this.#probeLost(what.why, what.answered, now);
  }

  async #probeReceived(message: ServerMessage, now: number): Promise<void> {
    const drop = this.#drop;
    const run = drop?.run ?? null;
    if (drop === null || run === null) return;
    if (message.type === "challenge") {
      run.serverKey = message.server_key;
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
      await this.#probeOver(drop, now, `The server refused a new room: ${message.text}`, true);
    }
  }

  async #opened(drop: Drop, run: Run, opened: Opened, now: number): Promise<void> {
    try {
      await invite.verifyReceipt(run.serverKey, numberOf(run), 0, run.chain, opened.signature);
    } catch (error) {
      if (!(error instanceof SnugCryptoError)) throw error;
      await this.#probeOver(drop, now, "The server opened a new room, and did not sign it.", true);
      return;
    }
    const receipt = { number: numberOf(run), server_key: run.serverKey, signature: opened.signature };
    const which = same(run.serverKey, drop.serverKey) ? "." : ", by another key: it was restarted.";
    await this.#probeOver(drop, now, `The server opened and signed a new room${which}`, true, receipt);
  }

  async #probeLost(why: Sentence, answered: boolean, now: number): Promise<void> {
    const drop = this.#drop;
    if (drop === null || drop.run === null) return;
    const there = answered || drop.run.serverKey.length > 0;
    await this.#probeOver(drop, now, `The server did not serve a new room: ${reasons.plain(why)}`, there);
  }

  async #probeOver(
    drop: Drop,
    now: number,
    text: string,
    answered: boolean,
    receipt: evidence.ProbeReceipt | null = null,
  ): Promise<void> {
    drop.run = null;
    drop.probe = { at: Math.floor(now), text: evidence.clipped(text), receipt };
    drop.answered = answered;
    if (answered && drop.answeredAt === null) {
      drop.answeredAt = now;
      drop.took = now - (drop.probedAt ?? now);
      this.room.hurry(now); // our own pause between two tries is no act of the server
    }
    this.room.perform({ type: "Disconnect", endpoint: PROBE });
    if (drop.toldAt !== null) await this.#saveUnasked(now);
  }

  #send(message: ClientMessage): void {
    this.room.perform({ type: "Transmit", endpoint: PROBE, message });
  }

  // -- conclusions -----------------------------------------------------------------------------------------

  async #judge(drop: Drop, now: number, moved: boolean): Promise<void> {
    if (drop.probe === null || now - drop.since < TELL_AFTER) return;
    // We went on elsewhere: it may be down, out of reach, or a process that would let us in.
    if (moved && (!drop.answered || drop.refusals < REFUSALS || this.#what(drop) === "restarted")) return;
    if (!drop.answered || (this.#restarted(drop) && !moved)) {
      if (!drop.toldAway && drop.toldAt === null) {
        drop.toldAway = true;
        this.room.tell(sentences.status(this.#restarted(drop) ? "away.restarted" : "away.unreachable"));
      }
      return;
    }
    // The network is back, or we are: perhaps the room is as well.
    if (now - Math.max(drop.answeredAt ?? drop.at, drop.hereAt ?? drop.at) < Math.max(SETTLE, 2 * drop.took)) return;
    if (drop.toldAt === null) {
      drop.toldAt = now;
      const saved = this.room.options.evidence ? EVIDENCE_FILE : null;
      this.room.tell(sentences.dropped(this.#what(drop), saved));
      await this.#saveUnasked(now);
    } else if (!moved && now - drop.toldAt + TELL_AFTER > this.room.options.patience) {
      await this.#saveUnasked(now);
      this.room.finish(
        "dropped",
        sentence("dropped.gave_up", { what: sentence(`dropped.${this.#what(drop)}`) }),
      );
    }
  }

  #what(drop: Drop): What {
    const receipt = drop.probe?.receipt ?? null;
    if (receipt === null) return "refuses";
    if (!same(receipt.server_key, drop.serverKey)) return "restarted";
    const absent = drop.probedAt !== null && drop.probedAt - drop.at > FORGOTTEN;
    return this.room.handle.length > 0 && absent ? "forgotten" : "serves";
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
   * Return our exhibits, on now and the last drop, at least one. CommandError if we were never in step.
   *
   * They are about one server: that of the last drop, if the meeting has moved since.
   */
  async exhibits(names: boolean, now: number): Promise<evidence.Exhibit[]> {
    if (this.#serverKey === null) throw new CommandError(sentence("cannot.no_evidence"));
    const exhibits: evidence.Exhibit[] = [];
    const drops = [this.#last, this.#drop].filter((drop) => drop !== null);
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
      last_words: [...this.#words],
      probe,
      leaves,
      key: m.signatureKey(m.ownLeaf) ?? new Uint8Array(32),
      signature: new Uint8Array(64),
    };
    return evidence.signed(unsigned, (label, data) => m.sign(label, data));
  }
}
