/** The members of the room, when they joined and who admitted them; for hosts, with actions. */
import { useEffect } from "preact/hooks";
import { clock, word } from "../../../words";
import { Icon } from "../../icons";
import type { Person } from "../../model";
import { Invites } from "./invites";
import { Menu } from "./menu";
import { Monogram } from "./monogram";
import { PersonItems } from "./person";
import { endQuestion, useUi } from "./ui";

export function People() {
  const { model, question } = useUi();
  const people = model.people.value;
  const host = model.amHost.value;
  useEffect(() => {
    if (host) model.do.refreshInvites();
  }, [model, host]);
  const hands = people.filter((person) => person.hand !== null).toSorted((a, b) => (a.hand ?? 0) - (b.hand ?? 0));
  const ordered = people.toSorted((a, b) => Number(b.self) - Number(a.self) || Number(b.host) - Number(a.host));
  return (
    <>
      {hands.length > 0 && (
        <section class="panel-part" aria-labelledby="hands-title">
          <h3 id="hands-title">{word("meet.hands")}</h3>
          <ol class="hands">
            {hands.map((person) => (
              <li key={person.leaf} class="badge brass">
                <Icon name="hand" size={16} />
                <span class="figures">{person.hand}</span>
                <bdi>{person.name}</bdi>
              </li>
            ))}
          </ol>
        </section>
      )}
      <ul class="people">
        {ordered.map((person) => (
          <Row key={person.leaf} person={person} />
        ))}
      </ul>
      {host && (
        <>
          <Invites />
          <section class="panel-part">
            <label class="choice">
              <input
                type="checkbox"
                role="switch"
                checked={model.locked.value}
                onChange={(event) => {
                  // the switch shows the confirmed state, not the request
                  event.currentTarget.checked = model.locked.value;
                  model.do.lock(!model.locked.value);
                }}
              />
              {word("meet.lock_room")}
              <span class="note">{word("meet.lock_text")}</span>
            </label>
            <button
              type="button"
              class="button wide"
              onClick={() => {
                question.value = endQuestion(() => model.do.endMeeting());
              }}
            >
              {word("meet.end_all")}
            </button>
          </section>
        </>
      )}
    </>
  );
}

function cameHow(person: Person): string {
  const time = clock(person.since);
  if (person.admittedBy === null) return word("meet.since", { time });
  if (person.invite === null) return word("meet.since_by", { time, by: person.admittedBy });
  const invite = person.invite === "" ? word("meet.by_open") : word("meet.by_label", { label: person.invite });
  return word("meet.since_by_invite", { time, by: person.admittedBy, invite });
}

function standing(person: Person): string | null {
  const contact = person.contact !== null && person.contact !== person.name ? person.contact : null;
  switch (person.standing) {
    case "none":
      return null;
    case "new":
      return word("meet.identity_new");
    case "known":
      return contact === null ? word("meet.identity_known") : word("meet.identity_known_as", { contact });
    case "verified":
      return contact === null ? word("meet.identity_verified") : word("meet.identity_verified_as", { contact });
  }
}

function Row({ person }: { readonly person: Person }) {
  const { model } = useUi();
  const own = model.people.value.find((one) => one.self)?.page ?? null;
  const known = standing(person);
  return (
    <li class="person" data-testid="person">
      <Monogram name={person.name} />
      <div class="person-words">
        <div class="person-head">
          <p class="person-name">
            <strong>
              <bdi>{person.self ? word("meet.you", { name: person.name }) : person.name}</bdi>
            </strong>
            {person.host && <span class="badge">{word("meet.host")}</span>}
          </p>
          <Marks person={person} />
          {!person.self && (
            <Menu label={word("meet.person_menu", { name: person.name })} class="button round quiet">
              <PersonItems person={person} />
            </Menu>
          )}
        </div>
        <p class="note">{cameHow(person)}</p>
        {known !== null && (
          <p class="note with-icon">
            <Icon name={person.standing === "new" ? "circle-question-mark" : "user-check"} size={16} />
            {known}
          </p>
        )}
        {person.unverified && (
          <p class="note with-icon brass">
            <Icon name="circle-question-mark" size={16} />
            {word("meet.unverified")}
          </p>
        )}
        {person.compared && !person.self && (
          <p class="note with-icon">
            <Icon name="check" size={16} />
            {word("meet.compared_with")}
          </p>
        )}
        {person.newSinceCompared === true && !person.self && (
          <p class="note with-icon brass">
            <Icon name="info" size={16} />
            {word("meet.new_since")}
          </p>
        )}
        {own !== null && person.page !== null && person.page !== own && (
          <p class="note with-icon brass">
            <Icon name="info" size={16} />
            {word("meet.page_differs")}
          </p>
        )}
      </div>
    </li>
  );
}

/** The marks of the member's tile as icons, with words for screen readers. */
function Marks({ person }: { readonly person: Person }) {
  return (
    <span class="person-marks">
      {person.hand !== null && (
        <span class="with-icon brass figures">
          <Icon name="hand" size={16} />
          <span aria-hidden="true">{person.hand}</span>
          <span class="unseen">{word("meet.hand_nth", { n: person.hand })}</span>
        </span>
      )}
      {person.recording && (
        <span class="brass">
          <Icon name="circle-dot" size={16} />
          <span class="unseen">{word("meet.is_recording")}</span>
        </span>
      )}
      {person.sharing && <Icon name="screen-share" size={16} />}
      {!person.mic && (
        <>
          <Icon name="mic-off" size={16} />
          <span class="unseen">{word("meet.muted")}</span>
        </>
      )}
      {!person.camera && (
        <>
          <Icon name="video-off" size={16} />
          <span class="unseen">{word("meet.camera_is_off")}</span>
        </>
      )}
    </span>
  );
}
