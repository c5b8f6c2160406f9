/** The own devices: which camera a flip asks for, and what is left when there is none. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { OwnDevices } from "../../../../client/web/src/media/devices";

type Facing = "user" | "environment";

/** A phone: its cameras by direction, in the order in which the browser prefers them. */
let cameras: Facing[] = [];
let wanted: (string | undefined)[] = [];
let stopped: string[] = [];

function trackOf(facing: Facing) {
  return Object.assign(new EventTarget(), {
    kind: "video", contentHint: "", stop: () => void stopped.push(facing),
    getSettings: () => ({ deviceId: `of ${facing}`, facingMode: facing }),
  });
}

const phone = {
  languages: ["en"], hardwareConcurrency: 8,
  mediaDevices: {
    getUserMedia: async ({ video }: { video: { facingMode?: { exact: Facing }; deviceId?: { exact: string } } | true }) => {
      const asked = video === true ? undefined : (video.facingMode?.exact ?? video.deviceId?.exact);
      wanted.push(asked);
      const found = cameras.find((each) => asked === undefined || asked === each || asked === `of ${each}`);
      if (found === undefined) throw Object.assign(new Error("no such camera"), { name: "OverconstrainedError" });
      const track = trackOf(found);
      return { getTracks: () => [track] };
    },
    enumerateDevices: async () => cameras.map((facing) => ({ kind: "videoinput", deviceId: `of ${facing}`, label: facing })),
  },
};

async function begun() {
  const tracks: (MediaStreamTrack | null)[] = [];
  const own = new OwnDevices((_, track) => void tracks.push(track));
  await own.ask("video");
  return { own, tracks, facing: () => own.devices.value.facing };
}

describe("a phone's two cameras", () => {
  const real = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  before(() => void Object.defineProperty(globalThis, "navigator", { configurable: true, value: phone }));
  after(() => void (real !== undefined && Object.defineProperty(globalThis, "navigator", real)));
  beforeEach(() => {
    cameras = ["user", "environment"];
    wanted = [];
    stopped = [];
  });

  it("a flip goes to the other direction, and back", async () => {
    const { own, facing } = await begun();
    assert.deepEqual([facing(), own.devices.value.camera], ["user", "of user"]);
    await own.flip();
    assert.deepEqual([facing(), own.devices.value.camera, wanted.at(-1)], ["environment", "of environment", "environment"]);
    assert.deepEqual(stopped, ["user"], "a phone opens one camera at a time");
    await own.flip();
    assert.deepEqual([facing(), wanted.at(-1)], ["user", "user"]);
  });

  it("the camera that was flipped to is taken again after it was off", async () => {
    const { own, facing } = await begun();
    await own.flip();
    own.release("video");
    assert.equal(facing(), null, "nothing is on");
    await own.ask("video");
    assert.deepEqual([facing(), wanted.at(-1)], ["environment", "of environment"]);
  });

  it("where the other direction cannot be had, the camera goes on", async () => {
    const { own, tracks, facing } = await begun();
    cameras = ["user"];
    await own.flip();
    assert.equal(facing(), "user");
    assert.notEqual(tracks.at(-1), null);
    assert.equal(own.devices.value.cameraTrouble, null);
  });
});
