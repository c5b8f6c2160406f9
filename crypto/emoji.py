"""The 64 signs of the short code, and the one English word that each is read out as.

Chosen so that no two look alike at the size of a letter or sound alike over a bad line: no flags, no
smileys, no hands, no skin tones, no two of a family (one fruit that is red, one instrument of wood). All are
of Unicode 11.0 or older and one code point; two are followed by U+FE0F, which asks for the picture instead of
the letter. The order is part of the protocol (docs/protocol.md, section 8): sign i stands for the six bits
of i.
"""

from __future__ import annotations

from typing import Final

#: (emoji, word), by number 0 to 63.
EMOJI: Final[tuple[tuple[str, str], ...]] = (
    ("\U0001f436", "dog"),
    ("\U0001f981", "lion"),
    ("\U0001f992", "giraffe"),
    ("\U0001f428", "koala"),
    ("\U0001f434", "horse"),
    ("\U0001f418", "elephant"),
    ("\U0001f42b", "camel"),
    ("\U0001f427", "penguin"),
    ("\U0001f99a", "peacock"),
    ("\U0001f422", "turtle"),
    ("\U0001f42c", "dolphin"),
    ("\U0001f419", "octopus"),
    ("\U0001f98b", "butterfly"),
    ("\U0001f989", "owl"),
    ("\U0001f99e", "lobster"),
    ("\U0001f40d", "snake"),
    ("\U0001f335", "cactus"),
    ("\U0001f332", "tree"),
    ("\U0001f344", "mushroom"),
    ("\U0001f337", "tulip"),
    ("\U0001f340", "clover"),
    ("\U0001f308", "rainbow"),
    ("\u2b50", "star"),
    ("\u2600\ufe0f", "sun"),
    ("\U0001f525", "fire"),
    ("\u26c4", "snowman"),
    ("\u26a1", "lightning"),
    ("\u2614", "umbrella"),
    ("\U0001f30b", "volcano"),
    ("\u26fa", "tent"),
    ("\U0001f34e", "apple"),
    ("\U0001f34c", "banana"),
    ("\U0001f347", "grapes"),
    ("\U0001f33d", "corn"),
    ("\U0001f951", "avocado"),
    ("\U0001f955", "carrot"),
    ("\U0001f355", "pizza"),
    ("\U0001f369", "donut"),
    ("\U0001f968", "pretzel"),
    ("\U0001f36f", "honey"),
    ("\U0001f35e", "bread"),
    ("\U0001f9e9", "puzzle"),
    ("\U0001f514", "bell"),
    ("\U0001f3a9", "hat"),
    ("\U0001f45f", "shoe"),
    ("\U0001f453", "glasses"),
    ("\u26bd", "football"),
    ("\U0001f3ba", "trumpet"),
    ("\U0001f3bb", "violin"),
    ("\U0001f4d6", "book"),
    ("\U0001f9f2", "magnet"),
    ("\u2702\ufe0f", "scissors"),
    ("\U0001f48e", "diamond"),
    ("\u23f0", "clock"),
    ("\U0001f52d", "telescope"),
    ("\U0001f4a1", "lamp"),
    ("\U0001f381", "gift"),
    ("\U0001f388", "balloon"),
    ("\u2693", "anchor"),
    ("\U0001f6b2", "bicycle"),
    ("\U0001f682", "train"),
    ("\U0001f680", "rocket"),
    ("\U0001f681", "helicopter"),
    ("\U0001f69c", "tractor"),
)
