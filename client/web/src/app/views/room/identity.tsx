/** The person's own identity and contacts on this device: in the settings, and in a dialog before any meeting. */
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { whole, word } from "../../../words";
import { Icon } from "../../icons";
import type { BookEntry, Model } from "../../model";
import { Digits, groups } from "./digits";

export function IdentitySettings({ model }: { readonly model: Model }) {
  const { identity } = model;
  const own = identity.own.value;
  const trouble = identity.trouble.value;
  if (!identity.can) return <p class="note">{word("meet.id_no_store")}</p>;
  return (
    <>
      <p class="note">{word("meet.id_text")}</p>
      {own === null ? <Without model={model} /> : <Own model={model} own={own} />}
      <div role="status">{identity.busy.value && <p class="note">{word("meet.id_busy")}</p>}</div>
      <p class="wrong" role="alert">
        {trouble === null ? null : whole(trouble)}
      </p>
    </>
  );
}

function Without({ model: { identity } }: { readonly model: Model }) {
  const file = useSignal<File | null>(null);
  const id = useId();
  return (
    <>
      <button type="button" class="button" disabled={identity.busy.value} onClick={() => identity.create()}>
        <Icon name="user-plus" />
        {word("meet.id_create")}
      </button>
      <details class="more">
        <summary>{word("meet.id_load")}</summary>
        <div class="field">
          <label for={id}>{word("meet.id_file")}</label>
          <input
            id={id}
            class="input"
            type="file"
            onChange={(event) => {
              file.value = event.currentTarget.files?.[0] ?? null;
            }}
          />
        </div>
        <Passphrase
          words={word("meet.id_open")}
          disabled={file.value === null || identity.busy.value}
          act={(passphrase) => {
            if (file.value !== null) identity.load(file.value, passphrase);
          }}
        />
      </details>
    </>
  );
}

function Own({ model, own }: { readonly model: Model; readonly own: string }) {
  const { identity } = model;
  const contacts = identity.contacts.value;
  return (
    <>
      <p class="label">{word("meet.id_own")}</p>
      <Digits digits={own} />
      <button type="button" class="button quiet" onClick={() => model.do.copy(groups(own).join(" "))}>
        <Icon name="copy" />
        {word("meet.code_copy")}
      </button>
      <p class="label" id="contacts-title">
        {word("meet.id_contacts")}
      </p>
      {contacts.length === 0 ? (
        <p class="note">{word("meet.id_nobody")}</p>
      ) : (
        <ul class="contacts" aria-labelledby="contacts-title">
          {contacts.map((contact) => (
            <Contact key={contact.fingerprint} model={model} contact={contact} />
          ))}
        </ul>
      )}
      <details class="more">
        <summary>{word("meet.id_save")}</summary>
        <p class="note">{word("meet.id_save_text")}</p>
        <Passphrase words={word("meet.id_save_yes")} disabled={identity.busy.value} act={(passphrase) => identity.save(passphrase)} />
      </details>
      <details class="more">
        <summary>{word("meet.id_remove")}</summary>
        <p class="note">{word("meet.id_remove_text")}</p>
        <button type="button" class="button" disabled={identity.busy.value} onClick={() => identity.remove()}>
          {word("meet.id_remove_yes")}
        </button>
      </details>
    </>
  );
}

function Contact({ model: { identity }, contact }: { readonly model: Model; readonly contact: BookEntry }) {
  const { name, fingerprint, verified } = contact;
  return (
    <li>
      <details class="more">
        <summary>
          <span class="with-icon">
            <Icon name={verified ? "user-check" : "circle-question-mark"} size={16} />
            <bdi>{name}</bdi>
            <span class="note">{word(verified ? "meet.id_verified" : "meet.id_known")}</span>
          </span>
        </summary>
        <Digits digits={fingerprint} />
        <div class="row">
          {!verified && (
            <button type="button" class="button small" disabled={identity.busy.value} onClick={() => identity.verify(fingerprint)}>
              {word("meet.mark_verified")}
            </button>
          )}
          <button type="button" class="button quiet small" disabled={identity.busy.value} onClick={() => identity.forget(fingerprint)}>
            {word("meet.id_forget", { name })}
          </button>
        </div>
      </details>
    </li>
  );
}

function Passphrase(props: { readonly words: string; readonly disabled: boolean; act(passphrase: string): void }) {
  const passphrase = useSignal("");
  const id = useId();
  return (
    <form
      class="field"
      onSubmit={(event) => {
        event.preventDefault();
        props.act(passphrase.value);
        passphrase.value = "";
      }}
    >
      <label for={id}>{word("meet.id_passphrase")}</label>
      <input
        id={id}
        class="input"
        type="password"
        autocomplete="off"
        value={passphrase.value}
        onInput={(event) => {
          passphrase.value = event.currentTarget.value;
        }}
      />
      <button type="submit" class="button" disabled={props.disabled || passphrase.value === ""}>
        {props.words}
      </button>
    </form>
  );
}

/** The same before a meeting. */
export function IdentityDialog({ model, onClose }: { readonly model: Model; readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="identity-title" onClose={onClose}>
      <div class="dialog-head">
        <h2 id="identity-title">{word("meet.id_title")}</h2>
        <button type="button" class="button quiet round" aria-label={word("app.close")} onClick={() => dialog.current?.close()}>
          <Icon name="x" />
        </button>
      </div>
      <div class="stack">
        <IdentitySettings model={model} />
      </div>
    </dialog>
  );
}
