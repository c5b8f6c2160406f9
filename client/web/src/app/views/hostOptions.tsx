/** The choices of a host for everybody when opening a room. They are loaded with the views of the room (`room/later.ts`). */
import { word } from "../../words/index";
import { addresses } from "../addresses";
import type { Model } from "../model";
import { Check } from "./check";
import { ServersField } from "./servers";

export function HostOptions({ model }: { readonly model: Model }) {
  return (
    <>
      <Check on={model.reports} words={word("prejoin.reports")} note={word("prejoin.reports_hint")} />
      <Check on={model.sixteen} words={word("prejoin.sixteen")} note={word("prejoin.sixteen_hint")} />
      <Check on={model.strict} words={word("prejoin.strict")} note={word("prejoin.strict_hint")} />
      <ServersField model={model} text={model.servers} label={word("servers.title")} />
      {addresses(model.servers.value).length > 0 && <Check on={model.mirror} words={word("servers.mirror")} note={word("servers.mirror_hint")} />}
    </>
  );
}
