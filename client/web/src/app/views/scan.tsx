import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Key, word } from "../../words/index";
import { Icon } from "../icons";
import { type QrReader, qrReader } from "../qrReader";

/** Milliseconds between two attempts to read a code. */
const EVERY = 200;

/** A dialog that looks for a link in front of the camera. It releases the camera when it closes. */
export function Scan({ onFound, onClose }: ScanProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const state = useSignal<Key>("scan.starting");
  useEffect(() => {
    dialog.current?.showModal();
    let over = false;
    let stream: MediaStream | null = null;
    let timer = 0;
    const look = async (reader: QrReader): Promise<void> => {
      const picture = video.current;
      if (over || picture === null) return;
      const codes = picture.readyState >= 2 ? await reader.read(picture).catch(() => []) : [];
      if (over) return;
      const link = codes.find((code) => /^https?:\/\/[^#]+#2/.test(code));
      if (link !== undefined) return onFound(link);
      if (codes.length > 0) state.value = "scan.other";
      timer = window.setTimeout(() => void look(reader), EVERY);
    };
    const start = async (): Promise<void> => {
      try {
        const reader = await qrReader();
        const got = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
        if (over || video.current === null) return got.getTracks().forEach((track) => track.stop());
        stream = got;
        video.current.srcObject = got;
        await video.current.play();
        state.value = "scan.how";
        await look(reader);
      } catch {
        if (!over) state.value = "scan.no_camera";
      }
    };
    void start();
    return () => {
      over = true;
      window.clearTimeout(timer);
      stream?.getTracks().forEach((track) => track.stop());
    };
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby="scan-title" onClose={onClose}>
      <div class="dialog-head">
        <h2 id="scan-title">{word("scan.title")}</h2>
        <button
          type="button"
          class="button quiet round"
          aria-label={word("app.close")}
          onClick={() => dialog.current?.close()}
        >
          <Icon name="x" />
        </button>
      </div>
      <div class="stack">
        <video ref={video} class="scan-picture" hidden={state.value === "scan.no_camera"} muted playsInline aria-hidden="true" />
        <p role="status">{word(state.value)}</p>
      </div>
    </dialog>
  );
}

interface ScanProps {
  readonly onFound: (link: string) => void;
  readonly onClose: () => void;
}
