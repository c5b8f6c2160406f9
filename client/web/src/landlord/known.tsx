/** The facts that the operator knows, can guess, or cannot know: side by side, each with its reason. */
import type { ComponentChildren } from "preact";
import { number, size } from "../words";
import { Scale } from "./auc";
import { MEASURED } from "./measured";
import type { Now } from "./now";
import { type LandlordKey, say } from "./words";

const UNKNOWN = ["who", "what", "called", "keys", "code", "link"] as const;
const COINS = ["speaks", "muted"] as const;

export function Known({ now }: { readonly now: Now }) {
  const { disclosure: held, streams } = now;
  const slot = Math.max(0, ...held.rooms.map((room) => room.slot ?? 0));
  const of = (kind: string): string => number(streams.filter((stream) => stream.kind === kind).length);
  const addresses = [...new Set(held.people.flatMap((person) => [person.address, ...person.media_addresses]))];
  return (
    <>
      <section class="card stack" aria-labelledby="known-title">
        <h2 id="known-title">{say("known")}</h2>
        <dl class="answers">
          <Fact name="known_people" value={say("known_people_value", { n: number(held.connections), addresses: held.addresses })} />
          <Fact name="known_addresses" value={addresses.slice(0, 6).join(", ")} why={say("known_addresses_why")} />
          <Fact name="known_when" value={say("known_when_value")} />
          <Fact name="known_streams" value={say("known_streams_value", { audio: of("audio"), video: of("video") })} />
          <Fact
            name="known_sizes"
            value={say("known_sizes_value", { packets: number(held.sealed_media.packets), size: size(held.sealed_media.bytes) })}
          />
          <Fact name="known_changes" value={say("known_changes_value", { slot: number(slot) })} />
          <Fact
            name="known_opens"
            value={say(`known_opens_${held.permission.policy}`)}
            why={say(`known_opens_${held.permission.policy}_why`, {
              vouchers: number(held.permission.vouchers_exchanged),
              tokens: number(held.permission.tokens_spent),
            })}
          />
          <Fact name="known_own" value={held.own_keys.join("; ")} why={say("known_own_why")} />
        </dl>
      </section>
      <section class="card stack" aria-labelledby="guess-title">
        <h2 id="guess-title">{say("guess")}</h2>
        <dl class="answers">
          {COINS.map((name) => (
            <Scaled key={name} question={say(name)} why={say(`${name}_why`)} value={MEASURED[name]} />
          ))}
          <Guess name="long" value={MEASURED.long_message} args={{ short: MEASURED.short_message.toFixed(2) }} />
          <Guess name="again" value={MEASURED.again} args={{ without: MEASURED.again_no_camera.toFixed(2) }} />
          <Guess name="camera" value={MEASURED.camera} />
          <Guess name="host" value={MEASURED.host} args={{ later: MEASURED.host_later.toFixed(2) }} />
        </dl>
        <p class="note">{say("measured", { command: "snug lab leakage", page: "docs/explanation/leakage.md" })}</p>
      </section>
    </>
  );
}

/** The facts hidden from the operator, above the fold. */
export function Unknown() {
  return (
    <section class="card stack" aria-labelledby="unknown-title">
      <h2 id="unknown-title">{say("unknown")}</h2>
      <dl class="unknown">
        {[...UNKNOWN, ...COINS].map((name) => (
          <div key={name}>
            <dt>{say(name)}</dt>
            <dd>
              <Frosted />
            </dd>
            <dd class="note">{say(`${name}_why`)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const Frosted = () => <span class="frosted">{say("unknown_word")}</span>;

function Guess(props: {
  readonly name: "camera" | "host" | "again" | "long";
  readonly value: number;
  readonly args?: Readonly<Record<string, string>>;
}) {
  const { name, value, args } = props;
  return <Scaled question={say(`guess_${name}`)} why={say(`guess_${name}_why`, args)} value={value} />;
}

function Scaled({ question, why, value }: { readonly question: string; readonly why: string; readonly value: number }) {
  return (
    <div class="answer scaled">
      <dt>{question}</dt>
      <dd>
        <Scale about={question} value={value} />
      </dd>
      <dd class="note">{why}</dd>
    </div>
  );
}

function Fact({ name, value, why }: { readonly name: LandlordKey; readonly value: string; readonly why?: string }) {
  return <Row question={say(name)} answer={<span class="figures">{value}</span>} why={why ?? null} />;
}

function Row(props: { readonly question: string; readonly answer: ComponentChildren; readonly why: string | null }) {
  return (
    <div class="answer">
      <dt>{props.question}</dt>
      <dd>{props.answer}</dd>
      {props.why !== null && <dd class="note">{props.why}</dd>}
    </div>
  );
}
