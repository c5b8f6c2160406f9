// Written by `python -m snugroom.client.tools.typescript`, from crypto/agreed/names.py: change it there.
/** Characters that look like some that programs put around names (UTS 39). */
export const LOOKS_AROUND =
  "\u02f8\u0589\u05c3\u0703\u0704\u16ec\u1803\u1809\u205a\u2236\u2768\u2769\u2772\u2773\u29f4\u2e28" +
  "\u2e29\u3014\u3015\ua789\ufd3e\ufd3f";
