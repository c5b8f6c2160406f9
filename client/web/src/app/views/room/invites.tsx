/** The invite links: create, copy, show as a QR code, revoke. */
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { word } from "../../../words";
import type { InviteRow } from "../../../session/events";
import { Icon } from "../../icons";
import { QrCode } from "../../qr";
import { Check } from "../check";
import { CalendarFile } from "./calendarFile";
import { canShareLink, shareLink } from "./shareSheet";
import { useUi } from "./ui";

/** Return the title of an invite in a list. */
function inviteTitle(index: number, label: string | null): string {
  if (label) return word("meet.invite_title", { label });
  if (index === 0) return word("meet.invite_title_open");
  return label === null ? word("meet.invite_title_other") : word("meet.invite_title_number", { n: index });
}

export function Invites() {
  const { model } = useUi();
  const rows = model.inviteRows.value;
  // just created, and not in the last list
  const fresh = model.invites.value
    .filter(({ index }) => !rows.some((row) => row.index === index))
    .map(({ index, label, once }): InviteRow => ({ index, label, once, usedBy: [], revoked: false }));
  const all = [...rows, ...fresh].toSorted((a, b) => Number(a.revoked) - Number(b.revoked) || a.index - b.index);
  return (
    <section class="panel-part" aria-labelledby="invites-title">
      <h3 id="invites-title">{word("meet.invites")}</h3>
      {all.length === 0 && <p class="note">{word("meet.invites_none")}</p>}
      <ul class="invites">
        {all.map((row) => (
          <Row key={row.index} row={row} />
        ))}
      </ul>
      {canShareLink() && <p class="note">{word("meet.share_link_note")}</p>}
      <NewInvite />
    </section>
  );
}

function Row({ row }: { readonly row: InviteRow }) {
  const { model } = useUi();
  const shown = useSignal(false);
  const link = model.invites.value.find(({ index }) => index === row.index)?.link;
  const name = inviteTitle(row.index, row.label);
  const used = row.usedBy.length > 0;
  const open = !row.revoked && !(row.once && used);
  const share = async (url: string): Promise<void> => {
    const shared = await shareLink(model.roomTitle.value || word("meet.untitled"), word("meet.share_link_text"), url);
    if (!shared) model.do.copy(url);
  };
  return (
    <li class="invite" data-over={!open}>
      <p>
        <strong>
          <bdi>{name}</bdi>
        </strong>
        <span class="note">
          {word(row.once ? "meet.invite_is_once" : "meet.invite_is_open")}
          {" · "}
          {row.revoked ? word("meet.invite_revoked") : used ? word("meet.invite_used", { names: row.usedBy }) : word("meet.invite_unused")}
        </span>
      </p>
      {open && (
        <div class="row">
          {link !== undefined && (
            <>
              <button
                type="button"
                class="button small"
                aria-label={word("meet.invite_copy_of", { invite: name })}
                data-testid="copy-link"
                onClick={() => model.do.copy(link)}
              >
                <Icon name="copy" size={16} />
                {word("meet.invite_copy")}
              </button>
              {canShareLink() && (
                <button type="button" class="button small" aria-label={word("meet.share_link_of", { invite: name })} onClick={() => void share(link)}>
                  <Icon name="share-2" size={16} />
                  {word("meet.share_link")}
                </button>
              )}
              <button
                type="button"
                class="button small"
                aria-expanded={shown.value}
                aria-label={word("meet.invite_qr_of", { invite: name })}
                onClick={() => {
                  shown.value = !shown.value;
                }}
              >
                <Icon name="qr-code" size={16} />
                {word("meet.invite_qr")}
              </button>
            </>
          )}
          <button
            type="button"
            class="button small quiet"
            aria-label={word("meet.invite_revoke_of", { invite: name })}
            onClick={() => model.do.revoke(row.index)}
          >
            {word("meet.invite_revoke")}
          </button>
        </div>
      )}
      {open && shown.value && link !== undefined && (
        <figure class="qr-figure">
          <QrCode text={link} size={216} />
          <figcaption class="note">{word("meet.invite_qr_text")}</figcaption>
        </figure>
      )}
      {open && link !== undefined && <CalendarFile link={link} name={name} />}
    </li>
  );
}

function NewInvite() {
  const { model } = useUi();
  const open = useSignal(false);
  const label = useSignal("");
  const once = useSignal(true);
  const id = useId();
  if (!open.value) {
    return (
      <button
        type="button"
        class="button wide"
        onClick={() => {
          open.value = true;
        }}
      >
        <Icon name="plus" />
        {word("meet.invite_new")}
      </button>
    );
  }
  return (
    <form
      class="new-invite stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        model.do.newInvite(label.value.trim(), once.value);
        label.value = "";
        open.value = false;
      }}
    >
      <div class="field">
        <label for={id}>{word("meet.invite_label")}</label>
        <input
          id={id}
          ref={(field) => {
            if (field !== null && document.activeElement?.closest(".new-invite") === null) field.focus();
          }}
          class="input"
          autocomplete="off"
          maxLength={64}
          aria-describedby={`${id}-hint`}
          value={label.value}
          onInput={(event) => {
            label.value = event.currentTarget.value;
          }}
        />
        <p class="note" id={`${id}-hint`}>
          {word("meet.invite_label_hint")}
        </p>
      </div>
      <Check on={once} words={word("meet.invite_once")} />
      <div class="row">
        <button type="submit" class="button primary">
          {word("meet.invite_make")}
        </button>
        <button
          type="button"
          class="button quiet"
          onClick={() => {
            open.value = false;
          }}
        >
          {word("meet.cancel")}
        </button>
      </div>
    </form>
  );
}
