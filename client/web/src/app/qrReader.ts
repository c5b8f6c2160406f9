/** Reads QR codes in a camera's video: with the browser's own reader, or with a library in browsers without one. */

export interface QrReader {
  /** Return the texts of the codes in the current video frame. */
  read(picture: HTMLVideoElement): Promise<readonly string[]>;
}

/** The browser's own reader, which TypeScript does not declare yet. */
interface Detectors {
  new (options: { formats: readonly string[] }): {
    detect(source: HTMLVideoElement): Promise<readonly { readonly rawValue: string }[]>;
  };
  getSupportedFormats(): Promise<readonly string[]>;
}

/** Longer side in pixels to which a frame is scaled: more takes longer, and a code held to a camera is large. */
const SIDE = 800;

export async function qrReader(): Promise<QrReader> {
  const { BarcodeDetector } = globalThis as { readonly BarcodeDetector?: Detectors };
  if (BarcodeDetector !== undefined && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    return { read: async (picture) => (await detector.detect(picture)).map(({ rawValue }) => rawValue) };
  }
  const { decodeQR } = await import("qr/decode.js");
  const canvas = document.createElement("canvas");
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  if (ink === null) throw new Error("no canvas to look at pictures with");
  return {
    read: async (picture) => {
      const scale = Math.min(1, SIDE / Math.max(picture.videoWidth, picture.videoHeight, 1));
      canvas.width = Math.round(picture.videoWidth * scale);
      canvas.height = Math.round(picture.videoHeight * scale);
      if (canvas.width === 0 || canvas.height === 0) return [];
      ink.drawImage(picture, 0, 0, canvas.width, canvas.height);
      try {
        return [decodeQR(ink.getImageData(0, 0, canvas.width, canvas.height))];
      } catch {
        return []; // no code, or one that is not readable yet
      }
    },
  };
}
