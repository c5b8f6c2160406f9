/** Dialogs that nobody opens at once: a successor, a removal, a volume, the list of keys, an image. `later.ts` has them. */
import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { word } from "../../../words";
import { Icon } from "../../icons";
import { Dialog } from "./dialog";
import { KEYS } from "./keys";
import { VolumeField } from "./person";
import { Removal } from "./removal";
import { Successor } from "./successor";
import { useUi } from "./ui";

/** Return what closes the dialog that such a signal opens. */
function closing<T>(signal: Signal<T>, closed: T): () => void {
  return () => {
    signal.value = closed;
  };
}

export function MoreDialogs() {
  const { model, succession, help, removal, volumeOf, enlarged, keys } = useUi();
  const closeSuccession = closing(succession, false);
  const closeRemoval = closing(removal, null);
  const closeVolume = closing(volumeOf, null);
  const closeHelp = closing(help, false);
  const closePicture = closing(enlarged, null);
  const picture = enlarged.value;
  const loud = model.people.value.find(({ leaf }) => leaf === volumeOf.value);
  return (
    <>
      {succession.value && (
        <Dialog label={word("meet.successor")} close={closeSuccession}>
          <Successor close={closeSuccession} />
        </Dialog>
      )}
      {removal.value !== null && (
        <Dialog label={word("meet.remove_title", { name: removal.value.name })} close={closeRemoval}>
          <Removal person={removal.value} close={closeRemoval} />
        </Dialog>
      )}
      {loud !== undefined && (
        <Titled label={word("meet.volume_of", { name: loud.name })} title={word("meet.volume_title")} close={closeVolume}>
          <VolumeField leaf={loud.leaf} />
        </Titled>
      )}
      {help.value && (
        <Titled label={word("meet.shortcuts")} title={word("meet.shortcuts")} close={closeHelp}>
          <dl class="keys" data-off={!keys.value}>
            {KEYS.map(([key, act, words]) => (
              <Key key={act} name={key} words={word(words)} />
            ))}
            {model.call.pushToTalk.value && <Key name="Space" words={word("meet.talk")} />}
            <Key name="Esc" words={word("meet.keys_close")} />
            <Key name="Enter" words={word("meet.keys_send")} />
            <Key name="Shift Enter" words={word("meet.keys_line")} />
          </dl>
        </Titled>
      )}
      {picture !== null && (
        <Dialog class="enlarged" label={picture.label} close={closePicture}>
          <img src={picture.url} alt={picture.label} />
          <Close act={closePicture} />
        </Dialog>
      )}
    </>
  );
}

interface TitledProps {
  readonly label: string;
  readonly title: string;
  close(): void;
  readonly children: ComponentChildren;
}

/** A dialog whose head has a title and a button that closes it. */
const Titled = ({ label, title, close, children }: TitledProps) => (
  <Dialog label={label} close={close}>
    <div class="dialog-head">
      <h2>{title}</h2>
      <Close act={close} />
    </div>
    {children}
  </Dialog>
);

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
