import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import { whole, word } from "../../words/index";
import { Icon } from "../icons";
import type { Model, PermissionWanted } from "../model";
import { hostOf } from "./about";
import { Check } from "./check";
import { DeviceChoices, OwnLevel, OwnPicture, Troubles } from "./devices";
import { Heading } from "./heading";
import { useLater } from "./room/load";

/** The view before the room: preview and level, name, and the button to enter. */
export function PreJoin({ model }: { readonly model: Model }) {
  const going = model.going.value;
  const host = going?.as === "host";
  const { blur, blurred } = model.call;
  return (
    <div class="prejoin">
      <div class="prejoin-head">
        <button type="button" class="button quiet small" onClick={() => model.do.back()}>
          <Icon name="arrow-left" size={18} />
          {word("prejoin.back")}
        </button>
        <Heading>{word(host ? "prejoin.host" : "prejoin.guest")}</Heading>
        {going === null ? null : <p class="muted">{word("prejoin.at", { origin: hostOf(going.origin) })}</p>}
      </div>
      <div class="prejoin-picture stack">
        <OwnPicture model={model} />
        <OwnLevel model={model} />
        <Troubles model={model} />
      </div>
      <Entry model={model} host={host} />
      <div class="prejoin-devices stack">
        <Check on={blur} words={word("prejoin.blur")} note={blur.value ? word(`blur.${blurred.value}`) : ""} />
        <DeviceChoices model={model} />
      </div>
    </div>
  );
}

function Entry({ model, host }: { readonly model: Model; readonly host: boolean }) {
  const id = useId();
  const name = useRef<HTMLInputElement>(null);
  /** A missing name is reported only after an attempt without one. */
  const tried = useSignal(false);
  const empty = model.name.value.trim() === "";
  const trouble = model.nameTrouble.value;
  const wrong = empty ? (tried.value ? word("prejoin.name_needed") : null) : trouble === null ? null : whole(trouble);
  const opening = model.opening.value;
  return (
    <form
      class="prejoin-form stack"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        tried.value = true;
        if (opening) return;
        if (empty || trouble !== null) name.current?.focus();
        else model.do.enter();
      }}
    >
      <div class="field">
        <label for={`${id}-name`}>{word("prejoin.name")}</label>
        <input
          ref={name}
          id={`${id}-name`}
          class="input"
          data-testid="name"
          type="text"
          autocomplete="name"
          required
          maxLength={64}
          value={model.name.value}
          aria-invalid={wrong !== null}
          aria-describedby={`${id}-name-note`}
          onInput={(event) => {
            model.name.value = event.currentTarget.value;
          }}
        />
        <p id={`${id}-name-note`} class={wrong === null ? "note" : "wrong"}>
          {wrong ?? word("prejoin.name_hint")}
        </p>
      </div>
      <Check on={model.remember} words={word("prejoin.remember")} />
      {host ? <HostFields model={model} id={id} /> : <Greeting model={model} id={id} />}
      {!host && model.identity.own.value !== null && (
        <Check on={model.identity.show} words={word("prejoin.identity")} note={word("prejoin.identity_hint")} />
      )}
      {host && model.permissionForm.wanted.value !== null ? <Permission model={model} id={id} wanted={model.permissionForm.wanted.value} /> : null}
      <div class="stack tight">
        <button type="submit" class="button primary wide" data-testid="enter" aria-disabled={opening}>
          {opening ? null : <Icon name={host ? "door-open" : "hand"} />}
          {word(
            host
              ? opening
                ? "prejoin.opening_host"
                : "prejoin.enter_host"
              : opening
                ? "prejoin.opening_guest"
                : "prejoin.enter_guest",
          )}
        </button>
        {host ? null : <p class="note">{word("prejoin.guest_note")}</p>}
        {model.linkTrouble.value === null ? null : (
          <p class="wrong" role="alert">
            {whole(model.linkTrouble.value)}
          </p>
        )}
      </div>
    </form>
  );
}

interface FieldsProps {
  readonly model: Model;
  readonly id: string;
}

function HostFields({ model, id }: FieldsProps) {
  const later = useLater();
  return (
    <>
      <div class="field">
        <label for={`${id}-title`}>
          {word("prejoin.title")}
          <span class="note">{word("prejoin.optional")}</span>
        </label>
        <input
          id={`${id}-title`}
          class="input"
          type="text"
          autocomplete="off"
          maxLength={100}
          value={model.title.value}
          aria-describedby={`${id}-title-note`}
          onInput={(event) => {
            model.title.value = event.currentTarget.value;
          }}
        />
        <p id={`${id}-title-note`} class="note">
          {word("prejoin.title_hint")}
        </p>
      </div>
      <fieldset class="stack tight">
        <legend>{word("prejoin.admission")}</legend>
        {(["ask", "all"] as const).map((mode) => (
          <label key={mode} class="choice">
            <input
              type="radio"
              name={`${id}-admission`}
              checked={model.admission.value === mode}
              onChange={() => {
                model.admission.value = mode;
              }}
            />
            <span>{word(`prejoin.${mode}`)}</span>
            <span class="note">{word(`prejoin.${mode}_hint`)}</span>
          </label>
        ))}
      </fieldset>
      {later === null ? null : <later.HostOptions model={model} />}
    </>
  );
}

/** What the server wants of whoever opens a room. */
function Permission({ model, id, wanted }: FieldsProps & { readonly wanted: PermissionWanted }) {
  const { permissionForm } = model;
  const trouble = permissionForm.trouble.value;
  const isPassword = wanted.kind === "password";
  const value = isPassword ? permissionForm.password : permissionForm.voucher;
  const left = isPassword ? 0 : wanted.left;
  return (
    <div class="field">
      {left > 0 ? (
        <p class="note">{word("prejoin.tokens_left", { count: left })}</p>
      ) : (
        <>
          <label for={`${id}-permission`}>{word(isPassword ? "prejoin.password" : "prejoin.voucher")}</label>
          <div class={isPassword ? undefined : "start-link"}>
            <input
              id={`${id}-permission`}
              class="input"
              {...(isPassword ? { type: "password" as const } : { type: "text" as const })}
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              value={value.value}
              aria-invalid={trouble !== null}
              aria-describedby={`${id}-permission-note`}
              onInput={(event) => {
                value.value = event.currentTarget.value;
              }}
            />
            {isPassword ? null : (
              <button
                type="button"
                class="button"
                disabled={permissionForm.exchanging.value || value.value.trim() === ""}
                onClick={() => model.do.exchange()}
              >
                {word("prejoin.exchange")}
              </button>
            )}
          </div>
        </>
      )}
      {trouble !== null || left === 0 ? (
        <p id={`${id}-permission-note`} class={trouble === null ? "note" : "wrong"} role={trouble === null ? undefined : "alert"}>
          {trouble === null ? word(isPassword ? "prejoin.password_hint" : "prejoin.voucher_hint") : whole(trouble)}
        </p>
      ) : null}
    </div>
  );
}

function Greeting({ model, id }: FieldsProps) {
  return (
    <div class="field">
      <label for={`${id}-greeting`}>
        {word("prejoin.greeting")}
        <span class="note">{word("prejoin.optional")}</span>
      </label>
      <textarea
        id={`${id}-greeting`}
        class="input"
        rows={2}
        maxLength={200}
        value={model.greeting.value}
        aria-describedby={`${id}-greeting-note`}
        onInput={(event) => {
          model.greeting.value = event.currentTarget.value;
        }}
      />
      <p id={`${id}-greeting-note`} class="note">
        {word("prejoin.greeting_hint")}
      </p>
    </div>
  );
}
