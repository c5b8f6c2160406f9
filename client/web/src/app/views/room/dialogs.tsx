/** Modal dialogs over the room: a question, the list of keys, an image. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { word } from "../../../words";
import { Icon } from "../../icons";
import { KEYS } from "./keys";
import { useUi } from "./ui";

function Dialog(props: { readonly label: string; readonly class?: string; close(): void; readonly children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  // before the next key press
  useLayoutEffect(() => {
    const { current } = dialog;
    const before = document.activeElement;
    current?.showModal();
    return () => {
      current?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={props.class ?? ""}
      aria-label={props.label}
      onClose={props.close}
      onClick={(event) => {
        // the click hits the dialog element itself only outside of its content
        if (event.target === dialog.current) props.close();
      }}
    >
      <div class="dialog-body">{props.children}</div>
    </dialog>
  );
}

export function Dialogs() {
  const { question, help, enlarged, keys } = useUi();
  const asked = question.value;
  const picture = enlarged.value;
  return (
    <>
      {asked !== null && (
        <Dialog
          label={asked.title}
          close={() => {
            question.value = null;
          }}
        >
          <h2>{asked.title}</h2>
          <p>{asked.text}</p>
          {/* the harmless button comes first, because the first one gets the focus */}
          <div class="two">
            <button
              type="button"
              class="button"
              onClick={() => {
                question.value = null;
              }}
            >
              {word("meet.cancel")}
            </button>
            <button
              type="button"
              class="button"
              data-yes
              onClick={() => {
                question.value = null;
                asked.act();
              }}
            >
              {asked.yes}
            </button>
          </div>
        </Dialog>
      )}
      {help.value && (
        <Dialog
          label={word("meet.shortcuts")}
          close={() => {
            help.value = false;
          }}
        >
          <div class="dialog-head">
            <h2>{word("meet.shortcuts")}</h2>
            <Close
              act={() => {
                help.value = false;
              }}
            />
          </div>
          <dl class="keys" data-off={!keys.value}>
            {KEYS.map(([key, act, words]) => (
              <Key key={act} name={key} words={word(words)} />
            ))}
            <Key name="Esc" words={word("meet.keys_close")} />
            <Key name="Enter" words={word("meet.keys_send")} />
            <Key name="Shift Enter" words={word("meet.keys_line")} />
          </dl>
        </Dialog>
      )}
      {picture !== null && (
        <Dialog
          class="enlarged"
          label={picture.label}
          close={() => {
            enlarged.value = null;
          }}
        >
          <img src={picture.url} alt={picture.label} />
          <Close
            act={() => {
              enlarged.value = null;
            }}
          />
        </Dialog>
      )}
    </>
  );
}

const Key = ({ name, words }: { readonly name: string; readonly words: string }) => (
  <div>
    <dt>
      {name.split(" ").map((one) => (
        <kbd key={one}>{one}</kbd>
      ))}
    </dt>
    <dd>{words}</dd>
  </div>
);

const Close = ({ act }: { act(): void }) => (
  <button type="button" class="button round quiet" aria-label={word("meet.close")} title={word("meet.close")} onClick={act}>
    <Icon name="x" />
  </button>
);
