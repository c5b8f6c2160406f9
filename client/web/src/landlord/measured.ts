/**
 * Measured accuracy of the server's guesses (docs/explanation/leakage.md), as AUC: 0.5 is a coin toss, 1 is
 * certainty.
 */
export const MEASURED = {
  speaks: 0.48,
  muted: 0.49,
  camera: 1.0,
  host: 1.0,
  host_later: 0.67,
  again: 0.83,
  again_no_camera: 0.47,
  long_message: 0.79,
  short_message: 0.46,
} as const;
