/** The bar at the bottom, within reach of the thumb on a phone. */
import { word } from "../../../words";
import { Icon, type IconName } from "../../icons";
import { type Act, keyOf } from "./keys";
import { later } from "./load";
import { Item, Menu } from "./menu";
import { ReactionItems } from "./reactionItems";
import { endQuestion, pressDevice, successors, togglePanel, useUi } from "./ui";

interface ControlProps {
  readonly icon: IconName;
  /** The text under the icon. */
  readonly words: string;
  /** The effect of a press. */
  readonly label: string;
  readonly act: Act;
  /** off: one of our devices is off, visible from afar. on: a temporary state is on. */
  readonly state?: "off" | "on" | undefined;
  readonly expanded?: boolean;
  readonly class?: string;
  readonly count?: number;
  press(): void;
}

function Control(props: ControlProps) {
  const { icon, words, label, act, state, expanded, count } = props;
  const key = keyOf(act);
  return (
    <button
      type="button"
      class={`control ${props.class ?? ""}`}
      data-state={state}
      data-testid={act}
      aria-label={label}
      aria-keyshortcuts={key}
      aria-expanded={expanded}
      title={word("meet.shortcut", { what: label, key })}
      onClick={props.press}
    >
      <Face icon={icon} words={words} count={count} />
    </button>
  );
}

function Face({ icon, words, count }: { readonly icon: IconName; readonly words: string; readonly count?: number | undefined }) {
  return (
    <>
      {/* the stylesheet draws the number; it is not part of the accessible name, which has it in words */}
      <span class="control-face" data-count={count === undefined || count === 0 ? undefined : count > 99 ? "99+" : count}>
        <Icon name={icon} size={22} />
      </span>
      <span class="control-words">{words}</span>
    </>
  );
}

export function Controls() {
  const ui = useUi();
  const { model } = ui;
  const { can } = model;
  const mic = model.mic.value;
  const camera = model.camera.value;
  const sharing = model.sharing.value;
  const hand = model.hand.value;
  const panel = model.panel.value;
  const Bubble = later.value?.Bubble;
  const unread = panel === "chat" ? 0 : model.unread.value;
  const waiting = model.amHost.value ? model.knocks.value.length : 0;
  return (
    <nav class="controls" aria-label={word("meet.controls")}>
      <Control
        icon={mic ? "mic" : "mic-off"}
        words={word("meet.mic")}
        label={word(mic ? "meet.mic_off" : "meet.mic_on")}
        act="mic"
        state={mic ? undefined : "off"}
        press={() => pressDevice(ui, "microphone")}
      />
      <Control
        icon={camera ? "video" : "video-off"}
        words={word("meet.camera")}
        label={word(camera ? "meet.camera_off" : "meet.camera_on")}
        act="camera"
        state={camera ? undefined : "off"}
        press={() => pressDevice(ui, "camera")}
      />
      {can.share && (
        <Control
          icon={sharing ? "screen-share-off" : "screen-share"}
          words={word(sharing ? "meet.share_stop" : "meet.share")}
          label={word(sharing ? "meet.share_off" : "meet.share_on")}
          act="share"
          class="wide-only"
          state={sharing ? "on" : undefined}
          press={() => model.do.toggleShare()}
        />
      )}
      <Control
        icon="hand"
        words={word("meet.hand")}
        label={word(hand ? "meet.hand_down" : "meet.hand_up")}
        act="hand"
        state={hand ? "on" : undefined}
        press={() => model.do.toggleHand()}
      />
      <span class="wide-only contents">
        <Menu
          label={word("meet.react")}
          class="control"
          row
          face={<Face icon="smile" words={word("meet.react")} />}
        >
          <ReactionItems />
        </Menu>
      </span>
      <span class="divider" />
      <div class="chat-control">
        <Control
          icon="message-square"
          words={word("meet.chat")}
          label={unread > 0 ? word("meet.chat_unread", { n: unread }) : word("meet.chat")}
          act="chat"
          expanded={panel === "chat"}
          count={unread}
          press={() => togglePanel(model, "chat")}
        />
        {Bubble !== undefined && <Bubble />}
      </div>
      <Control
        icon="users"
        words={word("meet.people")}
        label={waiting > 0 ? word("meet.people_waiting", { n: waiting }) : word("meet.people")}
        act="people"
        class="wide-only"
        expanded={panel === "people"}
        count={waiting}
        press={() => togglePanel(model, "people")}
      />
      <Control
        icon="shield-check"
        words={word("meet.code")}
        label={word("meet.code_title")}
        act="code"
        class="wide-only"
        expanded={panel === "code"}
        press={() => togglePanel(model, "code")}
      />
      <MoreMenu />
      <span class="divider" />
      <Leave />
    </nav>
  );
}

function MoreMenu() {
  const Items = later.value?.MoreItems;
  return (
    <Menu label={word("meet.more")} class="control" face={<Face icon="ellipsis" words={word("meet.more")} />}>
      {Items !== undefined && <Items />}
    </Menu>
  );
}

/** Leave the room; a host selects whether to end the meeting for all. */
function Leave() {
  const { model, question, succession } = useUi();
  const face = <Face icon="log-out" words={word("meet.leave")} />;
  if (!model.amHost.value) {
    return (
      <button type="button" class="control leave" data-testid="leave" aria-label={word("meet.leave_only")} title={word("meet.leave_only")} onClick={() => model.do.leave()}>
        {face}
      </button>
    );
  }
  return (
    <Menu label={word("meet.leave")} class="control leave" handle="leave" face={face}>
      <Item
        icon="log-out"
        words={word("meet.leave_only")}
        hint={word("meet.leave_hint")}
        act={() => {
          // without the question, which comes later, leaving is not held up
          if (successors(model).length > 0 && later.value !== null) succession.value = true;
          else model.do.leave();
        }}
      />
      <Item
        icon="phone-off"
        words={word("meet.end_all")}
        act={() => {
          question.value = endQuestion(() => model.do.endMeeting());
        }}
      />
    </Menu>
  );
}
