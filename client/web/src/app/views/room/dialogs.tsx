/** Modal dialogs over the room: a question, and those that come later. */
import { Decision, Dialog } from "./dialog";
import { later } from "./load";
import { useUi } from "./ui";

export function Dialogs() {
  const { question } = useUi();
  const More = later.value?.MoreDialogs;
  const asked = question.value;
  const close = (): void => {
    question.value = null;
  };
  return (
    <>
      {asked !== null && (
        <Dialog label={asked.title} close={close}>
          <h2>{asked.title}</h2>
          <p>{asked.text}</p>
          {asked.more}
          <Decision
            yes={asked.yes}
            cancel={close}
            act={() => {
              close();
              asked.act();
            }}
          />
        </Dialog>
      )}
      {More !== undefined && <More />}
    </>
  );
}
