// A test's view of the page from outside: this script runs before the page, which knows nothing of it.
(() => {
  const probe = window.probe = {
    sounds: new Map(), analysers: new Map(), workers: [], peers: [], violations: [], copied: [], asked: [],
  };
  document.addEventListener("securitypolicyviolation", (event) =>
    probe.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  const own = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", { ...own, set(stream) {
    if (this instanceof HTMLAudioElement) {
      if (stream === null) probe.sounds.delete(this); else probe.sounds.set(this, stream);
    }
    own.set.call(this, stream);
  } });
  for (const [name, list] of [["Worker", probe.workers], ["RTCPeerConnection", probe.peers]]) {
    const Base = window[name];
    window[name] = class extends Base {
      constructor(...given) {
        super(...given);
        list.push(this);
      }
    };
  }
  if (navigator.clipboard) navigator.clipboard.writeText = async (text) => void probe.copied.push(text);

  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const named = (element) =>
    (element.getAttribute("aria-label") ?? element.textContent).trim().replace(/\s+/g, " ");
  const first = (query, name) => {
    const all = [...document.querySelectorAll(query)].filter(shown);
    return all.find((e) => named(e) === name) ?? all.find((e) => named(e).startsWith(name)) ?? null;
  };
  // as a person does: on what is shown, by what it is called
  probe.press = (name) => {
    const button = first("button, [role^=menuitem], a[href]", name);
    if (button === null || button.disabled) return false;
    button.click();
    return true;
  };
  probe.field = (name) => {
    const label = first("label", name);
    if (label === null) return first("input, textarea", name);
    return document.getElementById(label.htmlFor) ?? label.querySelector("input");
  };
  probe.type = (name, text) => {
    const field = probe.field(name);
    if (field === null) return false;
    const kind = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return true;
  };
  probe.choose = (name) => {
    const field = probe.field(name);
    field?.click();
    return field !== null;
  };
  probe.pick = (name, option) => {
    const list = document.getElementById(first("label", name)?.htmlFor ?? "");
    const found = [...(list?.options ?? [])].find((each) => each.textContent === option);
    if (found === undefined) return false;
    list.value = found.value;
    list.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  };
  probe.says = (text) => document.body.innerText.replace(/\s+/g, " ").includes(text);

  probe.sees = (name) => {
    const tile = [...document.querySelectorAll(".tile.camera")].find(
      (each) => each.querySelector(".tile-name bdi")?.textContent === name);
    const video = tile?.querySelector("video");
    if (!video?.videoWidth) return null;
    const canvas = new OffscreenCanvas(8, 8);
    const ink = canvas.getContext("2d");
    ink.drawImage(video, video.videoWidth * ACROSS - 4, video.videoHeight * DOWN - 4, 8, 8, 0, 0, 8, 8);
    return [...ink.getImageData(4, 4, 1, 1).data.slice(0, 3)];
  };
  let context = null;
  probe.hears = () => {
    context ??= new AudioContext();
    void context.resume();
    const heard = [];
    for (const [element, stream] of probe.sounds) {
      if (element.paused || element.muted || element.volume === 0) continue;
      let analyser = probe.analysers.get(stream);
      if (analyser === undefined) {
        analyser = context.createAnalyser();
        analyser.fftSize = 4096;
        context.createMediaStreamSource(stream).connect(analyser);
        probe.analysers.set(stream, analyser);
      }
      const bins = new Uint8Array(analyser.frequencyBinCount);
      analyser.getByteFrequencyData(bins);
      const top = bins.indexOf(Math.max(...bins));
      heard.push([(top * context.sampleRate) / analyser.fftSize, bins[top]]);
    }
    return heard;
  };
  probe.sent = async () => {
    let bytes = 0;
    for (const peer of probe.peers)
      for (const each of (await peer.getStats()).values())
        if (each.type === "outbound-rtp") bytes += each.bytesSent;
    return bytes;
  };
})();
