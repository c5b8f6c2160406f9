/**
 * Measured accuracy of the server's guesses (docs/explanation/leakage.md), as AUC: 0.5 is a coin toss, 1 is
 * certainty.
 */
export const MEASURED = {
  speaks: 0.48,
  muted: 0.52,
  camera: 1.0,
  host: 1.0,
  host_later: 0.58,
  again: 0.89,
  again_no_camera: 0.33,
  long_message: 0.81,
  short_message: 0.44,
} as const;
