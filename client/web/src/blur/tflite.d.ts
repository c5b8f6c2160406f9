/** The part of the package that the page uses: TensorFlow Lite, as Emscripten has compiled it. */
declare module "@twilio/video-processors/dist/build/tflite-simd-1-0-0.js" {
  export interface TensorFlow {
    readonly HEAPU8: Uint8Array;
    readonly HEAPF32: Float32Array;
    _getModelBufferMemoryOffset(): number;
    _loadModel(size: number): number;
    _getInputWidth(): number;
    _getInputHeight(): number;
    _getInputMemoryOffset(): number;
    _getOutputMemoryOffset(): number;
    _runInference(): number;
  }
  export default function create(given: { readonly wasmBinary: ArrayBuffer }): Promise<TensorFlow>;
}
