/** A session's connections as a whole: first contact, liveness, and whether it is the server of the link. */
import type { ServerMessage } from "../../wire/messages";
import { type Sentence, sentence } from "../../words/sentence";
import type { Effect, Ended, Endpoint, Input } from "../events";
import { FirstContact } from "./firstContact";
import { Liveness, type Silent } from "./liveness";
import { Redirects } from "./redirects";

/** Codes of refusals of which the first contact tells the end, so that nobody else need tell them. */
const TOLD: ReadonlySet<string> = new Set(["full", "stopping"]);
/** Characters shown of a name that is the server's own. */
const SHOWN = 120;

/** What an input means for the connections. `inputs`: those for the session's parts, in order. */
export interface Outcome {
  readonly inputs: readonly Input[];
  readonly effects: readonly Effect[];
  readonly ended: Ended | null;
}

const passing = (...inputs: readonly Input[]): Outcome => ({ inputs, effects: [], ended: null });
const ending = (ended: Ended): Outcome => ({ inputs: [], effects: [], ended });

/**
 * One session's connections to its server. `founds`: it opens a room, and enters no lobby before.
 *
 * A page hears nothing of certificates: its browser decides about them.
 */
export class ServerLink {
  readonly #origin: string;
  readonly #founds: boolean;
  readonly #contact: FirstContact;
  readonly #liveness: Liveness;
  readonly #redirects = new Redirects();
  /** Servers of which it was told that we do not go there. */
  readonly #strange = new Set<string>();

  constructor(origin: string, now: number, founds: boolean) {
    this.#origin = origin;
    this.#founds = founds;
    this.#contact = new FirstContact(origin, now);
    this.#liveness = new Liveness(now);
  }

  /** Whether the server has ever let us in: into a lobby, or into an open room. */
  get contacted(): boolean {
    return this.#contact.made;
  }

  /** Return the end of a session whose participant leaves before the first contact. */
  left(): Ended {
    return this.#contact.left();
  }

  /** Take note of what the session does with its connections. Return the effects for the shell. */
  performed(effects: readonly Effect[]): Effect[] {
    const directed = effects.filter((effect) => this.#isNews(effect)).map((effect) => this.#redirects.begun(effect));
    this.#liveness.performed(directed);
    return directed;
  }

  /** Return false for what was told already: that we do not go to a server. */
  #isNews(effect: Effect): boolean {
    if (effect.type !== "Tell" || effect.event.type !== "Status" || effect.event.kind !== "strange_server") return true;
    const origin = String(effect.event.text.args?.["origin"]);
    const isNews = !this.#strange.has(origin);
    this.#strange.add(origin);
    return isNews;
  }

  /** Return what an input means for the connections. */
  check(what: Input, now: number): Outcome {
    const effects: Effect[] = [];
    const outcome = this.#check(this.#redirects.followed(what, effects), now);
    return { ...outcome, effects: [...effects, ...outcome.effects] };
  }

  #check(what: Input, now: number): Outcome {
    switch (what.type) {
      case "Received":
        return this.#received(what, what.endpoint, what.message);
      case "Lost":
        this.#liveness.lost(what.endpoint);
        return passing(this.contacted ? what : { ...what, why: this.#contact.lost(what.why) });
      case "NetworkChanged":
        return outcome(what, this.#liveness.networkChanged(what.certain), sentence("away.network_changed"));
      case "Tick": {
        const overdue = this.#contact.overdue(now);
        if (overdue !== null) return ending(overdue);
        return outcome(what, this.#liveness.tick(now), sentence("away.unanswered"));
      }
      default:
        return passing(what);
    }
  }

  /** Check whether this server is the one of the link, and takes us. */
  #received(what: Input, endpoint: Endpoint, message: ServerMessage): Outcome {
    this.#liveness.heard(endpoint, message);
    const ours = this.#redirects.originOf(endpoint) || this.#origin;
    if (message.type === "challenge" && message.origin !== ours) {
      const names = { theirs: message.origin.slice(0, SHOWN), ours };
      if (!this.contacted) return ending({ type: "Ended", reason: "unserved", text: sentence("contact.misnamed", names) });
      return givenUp([endpoint], sentence("away.misnamed", names), true);
    }
    if (message.type === "refused" && message.fatal && !this.contacted) {
      this.#contact.refused(message);
      if (TOLD.has(message.code)) return passing();
    }
    this.#contact.made ||= message.type === (this.#founds ? "opened" : "entered");
    return passing(what);
  }
}

function outcome(what: Input, { asked, dead }: Silent, why: Sentence): Outcome {
  const gone = givenUp(dead, why);
  const pings = asked.map((endpoint): Effect => ({ type: "Transmit", endpoint, message: { type: "ping" } }));
  return { inputs: [...gone.inputs, what], effects: [...gone.effects, ...pings], ended: null };
}

/** Give connections up, as if they were lost. */
const givenUp = (endpoints: readonly Endpoint[], why: Sentence, answered = false): Outcome => ({
  inputs: endpoints.map((endpoint) => ({ type: "Lost", endpoint, why, answered })),
  effects: endpoints.map((endpoint) => ({ type: "Disconnect", endpoint })),
  ended: null,
});
