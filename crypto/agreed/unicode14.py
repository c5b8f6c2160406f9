"""The properties of characters in Unicode 14.0, so that no verdict on a text depends on a runtime's version.

Python 3.11 has Unicode 14.0; later Pythons and browsers have newer versions. If one member's library knows a
character and another's does not, the two members judge the same commit differently. All rules for texts
therefore use this module, and never the runtime's own categories.

For normalization and case folding the runtime's tables serve: Unicode guarantees that they are stable for
assigned characters. Here they apply to the characters that Unicode 14.0 assigns, and to no others.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate, groupby
from typing import Final, Literal, cast

#: U: not assigned. M: mark. L: letter or number. C: control, format, surrogate, private use, line or
#: paragraph separator. P: punctuation, modifier symbol (`^`, accents). S: any other: symbol, space.
Kind = Literal["U", "M", "L", "C", "P", "S"]

# The kind and the length of each run of characters of one kind, from U+0000 on; lengths in base 36. A test
# recomputes the table.
_RUNS: Final = """
    Cw S1 P3 S1 P6 S1 P4 La P2 S3 P2 Lq P6 Lq P1 S1 P1 S1 Cx S1 P1 S5 P2 S1 L1 P1 S1 C1 S1 P1 S2 L2 P1 L1 P3
    L2 P1 L3 P1 Ln S1 Lv S1 Lcq P4 Lc Pe L5 P7 L1 P1 L1 Ph M34 L5 P1 L2 U2 L4 P1 L1 U4 P2 L1 P1 L3 U1 L1 U1 Lk
    U1 L2b S1 L3v S1 M7 L4m U1 L12 U2 L1 P6 L15 P2 U2 S3 U1 M19 P1 M1 P1 M2 P1 M2 P1 M1 U8 Lr U4 L4 P2 Ub C6
    S3 P2 S1 P2 S2 Mb P1 C1 P3 L17 Ml La P4 L2 M1 L2r P1 L1 M7 C1 S1 M6 L2 M2 S1 M4 Lf S2 L1 Pe U1 C1 L1 M1 Lu
    Mr U2 L2h Mb L1 Ue L17 M9 L2 S1 P3 L1 U2 M1 S2 Lm M4 L1 M9 L1 M3 L1 M5 U2 Pf U1 Lp M3 U2 P1 U1 Lb U5 Lo P1
    L6 U1 C2 U6 M8 L16 Mo C1 Mx L1i M3 L1 Mi L1 M7 La M2 P2 La P1 Lg M3 U1 L8 U2 L2 U2 Lm U1 L7 U1 L1 U3 L4 U2
    M1 L1 M7 U2 M2 U2 M3 L1 U8 M1 U4 L2 U1 L3 M2 U2 Lc S2 L6 S2 L1 P1 M1 U2 M3 U1 L6 U4 L2 U2 Lm U1 L7 U1 L2
    U1 L2 U1 L2 U2 M1 U1 M5 U4 M2 U2 M3 U3 M1 U7 L4 U1 L1 U7 La M2 L3 M1 P1 Ua M3 U1 L9 U1 L3 U1 Lm U1 L7 U1
    L2 U1 L5 U2 M1 L1 M8 U1 M3 U1 M3 U2 L1 Uf L2 M2 U2 La P1 S1 U7 L1 M6 U1 M3 U1 L8 U2 L2 U2 Lm U1 L7 U1 L2
    U1 L5 U2 M1 L1 M7 U2 M2 U2 M3 U7 M3 U4 L2 U1 L3 M2 U2 La S1 L7 Ua M1 L1 U1 L6 U3 L3 U1 L4 U3 L2 U1 L1 U1
    L2 U3 L2 U3 L3 U3 Lc U4 M5 U3 M3 U1 M4 U2 L1 U6 M1 Ue Ld S8 U5 M5 L8 U1 L3 U1 Ln U1 Lg U2 M1 L1 M7 U1 M3
    U1 M4 U7 M2 U1 L3 U2 L1 U2 L2 M2 U2 La U7 P1 L7 S1 L1 M3 P1 L8 U1 L3 U1 Ln U1 La U1 L5 U2 M1 L1 M7 U1 M3
    U1 M4 U7 M2 U6 L2 U1 L2 M2 U2 La U1 L2 Ud M4 L9 U1 L3 U1 L15 M2 L1 M7 U1 M3 U1 M4 L1 S1 U4 L3 M1 La M2 U2
    Lj S1 L6 U1 M3 U1 Li U3 Lo U1 L9 U1 L1 U2 L7 U3 M1 U4 M6 U1 M1 U1 M8 U6 La U2 M2 P1 Uc L1c M1 L2 M7 U4 S1
    L7 M8 P1 La P2 U11 L2 U1 L1 U1 L5 U1 Lo U1 L1 U1 La M1 L2 M9 L1 U2 L5 U1 L1 U1 M6 U2 La U2 L4 Uw L1 S3 Pf
    S1 P1 S3 M2 S6 Lk S1 M1 S1 M1 S1 M1 P4 M2 L8 U1 L10 U4 Mk P1 M2 L5 Mb U1 M10 U1 S8 M1 S6 U1 S2 P5 S4 P2
    U11 L17 Mk Lb P6 L6 M4 L4 M3 L1 M3 L2 M7 L3 M4 Ld Mc L1 M1 La M4 S2 L12 U1 L1 U5 L1 U2 L17 P1 L99 U1 L4 U2
    L7 U1 L1 U1 L4 U2 L15 U1 L4 U2 Lx U1 L4 U2 L7 U1 L1 U1 L4 U2 Lf U1 L1l U1 L4 U2 L1v U2 M3 P9 Lk U3 Lg Sa
    U6 L2e U2 L6 U2 P1 Lh8 S1 P1 Lh S1 Lq P2 U3 L23 P3 Lb U7 Li M4 U9 Lj M3 P2 U9 Li M2 Uc Ld U1 L3 U1 M2 Uc
    L1g Mw P3 L1 P3 S1 L1 M1 U2 La U6 La U6 Pb M3 C1 M1 La U6 L2h U7 L5 M2 Ly M1 L1 U5 L1y Ua Lv U1 Mc U4 Mc
    U4 S1 U3 P2 L14 U2 L5 Ub L18 U4 Lq U6 Lb U3 Sy Ln M5 U2 P2 L1h Ma U1 Mt U2 M1 La U6 La U6 P7 L1 P6 U2 Mv
    U1d M5 L1b Mh L8 U3 La P7 Sa M9 S9 P2 U1 M3 Lu Md L1k Me U8 P4 L10 Mk U3 P5 La U3 L1d P2 L9 U7 L17 U2 L3
    P8 U8 M3 P1 Ml L4 M1 L6 M1 L2 M3 L1 U5 L5c M1s L7q U2 L6 U2 L12 U2 L6 U2 L8 U1 L1 U1 L1 U1 L1 U1 Lv U2 L1h
    U1 L7 P1 L1 P3 L3 U1 L7 P3 L4 U2 L6 U1 P3 Ld P3 U2 L3 U1 L7 P2 U1 Sb C5 Po C7 S1 Pk S1 Pd S1 Pc S1 C5 U1
    Ca L2 U2 L6 S3 P2 Lb S3 P2 U1 Ld U3 Sx Uf Mx Uf S2 L1 S4 L1 S2 La S1 L1 S3 L5 S6 L1 S1 L1 S1 L1 S1 L4 S1
    Lb S2 L4 S5 L5 S4 L1 S1 L1m S2 U4 Sag P4 St P2 S70 Up Sb Ul L1o S26 Lm Sh4 Pe Lu S1d P2 Sv Pa Sb7 Pm S1r
    P4 Sw P2 Sae U2 Sw U1 S2x L6d S6 L4 M3 L2 U5 P4 L1 P2 L12 U1 L1 U5 L1 U2 L1k U7 L1 P1 Ue M1 Ln U9 L7 U1 L7
    U1 L7 U1 L7 U1 L7 U1 L7 U1 L7 U1 L7 U1 Mw P1b L1 Pw S2 Pc Uy Sq U1 S2h Uc S5y Uq Sc U4 S1 P3 S1 L3 Pa S2
    Pc S1 L9 M6 P1 L5 S2 L5 P1 S2 U1 L2e U2 M2 P2 L3 P1 L2i P1 L4 U5 L17 U1 L2m U1 S2 L4 Sa Lw S10 Uc Lg Sv U1
    La Su L8 S1 Lf Sw La S13 Lf S8w L534 S1s Lh3h U3 S1j U9 L1a P2 L7h P3 Ls Uk L1b M4 P1 Ma P1 Lv M2 L28 M2
    P6 U8 Pn L9 P2 L2v P2 L1s U5 L2 U1 L1 U1 L5 Uo Lg M1 L3 M1 L4 M1 Ln M5 S4 M1 U3 L6 S4 U6 L1g P4 U8 M2 L1e
    Mi U8 P2 La U6 Mi L6 P3 L1 P1 L2 M1 L12 M8 P2 Ln Md Ub P1 Lt U3 M4 L1b Me Pd U1 Lb U4 P2 L5 M1 Lp U1 L15
    Me U9 L3 M1 L8 M2 U2 La U2 P4 Ln S3 L1 M3 L1e M1 L1 M3 L2 M2 L5 M2 L1 M1 L1 Uo L3 P2 Lb M5 P2 L3 M2 Ua L6
    U2 L6 U2 L6 U9 L7 U1 L7 U1 L17 P1 Le P2 U4 L37 M8 P1 M2 U2 La U6 L8mc Uc Ln U4 L1d U4 C6io La6 U2 L2y U12
    L7 Uc L5 U5 L1 M1 La S1 Ld U1 L5 U1 L1 U1 L2 U1 L2 U1 L30 Ph Ug La3 P2 Sg L1s U2 L1i U7 S1 Uw Lc S4 Mg Pa
    U6 Mg Pz U1 Pe S1 P1 S3 U1 P1 S1 P2 U4 L5 U1 L3r U2 C1 U1 P3 S1 P6 S1 P4 La P2 S3 P2 Lq P6 Lq P1 S1 P1 S1
    P7 L2h U3 L6 U2 L6 U2 L6 U2 L3 U3 S3 P1 S3 U1 S7 Ua C3 S2 U2 Lc U1 Lq U1 Lj U1 L2 U1 Lf U2 Le Uy L3f U5 P3
    U4 L19 U3 S9 L1l Sh L2 S3 U1 Sd U3 S1 U1b S19 M1 U3m Lt U3 L1d Uf M1 Lr U4 L10 U9 Lu U5 L12 M5 U5 Lu U1 P1
    L10 U4 L8 P1 L5 U16 L4e U2 La U6 L10 U4 L10 U4 L14 U8 L1g Ub P1 Lb U1 Lf U1 L7 U1 L2 U1 Lb U1 Lf U1 L7 U1
    L2 U1v L8n U9 Lm Ua L8 Uo L6 U1 L16 U1 L9 U1x L6 U2 L1 U1 L18 U1 L2 U3 L1 U2 Ln U1 P1 Lv S2 L12 U8 L9 U1c
    Lj U1 L2 U5 Lx U3 P1 Lq U5 P1 U1s L1k U4 Lk U2 L1b M3 U1 M2 U5 M4 L4 U1 L3 U1 Lt U2 M3 U4 M1 L9 U7 P9 U7
    Lv P1 Lw Uw L8 S1 Ls M2 U4 L5 P7 U9 L1i U3 P7 Lm U2 Lr U5 Lq U7 P4 Uc L7 U28 L21 U1j L1f Ud L1f U7 L16 M4
    U8 La U86 Lv U1 L16 U1 M2 P1 U2 L2 U26 L14 U8 Lm Mb L4 P5 Um Li M4 P4 U12 Ls Uk Ln U9 M3 L1h Mf P7 U4 Lu
    M1 L2 M2 L1 U9 M4 L19 Mb P2 C1 P4 M1 Ua C1 U2 Lp U7 La U6 M3 L10 Me U1 La P4 L1 M2 L1 U8 Lz M1 P2 L1 U9 M3
    L1c Me L4 P4 M4 P1 M2 Lb P1 L1 P3 U1 Lk Ub Li U1 Lp Mc P6 M1 U1t L7 U1 L1 U1 L4 U1 Lf U1 La P1 U6 L1b Mc
    U5 La U6 M4 U1 L8 U2 L2 U2 Lm U1 L7 U1 L2 U1 L5 U1 M2 L1 M7 U2 M2 U2 M3 U2 L1 U6 M1 U5 L5 M2 U2 M7 U3 M5
    U3v L1h Mi L4 P5 La P2 U1 P1 M1 L3 Uu L1c Mk L2 P1 L1 U8 La U4m L1b M7 U2 M9 Pn L4 M2 Uy L1c Mh P3 L1 Ub
    La U6 Pd Uj L17 Md L1 P1 U6 La U1i Lr U2 Mf U4 Lc P3 S1 L7 U55 L18 Mf P1 U2s L2b Uc L8 U2 L1 U2 L8 U1 L2
    U1 Lo M6 U1 M2 U2 M4 L1 M1 L1 M2 P3 U9 La U1y L8 U2 L13 M7 U2 M7 L1 P1 L1 M1 Ur L1 Ma L14 M7 L1 M4 P8 M1
    U8 L1 Mb L1a Mg P3 L1 P5 Ud L21 U7b L9 U1 L11 M8 U1 M8 L1 P5 Ua Lt U3 P2 Lu U2 Mm U1 Me U21 L7 U1 L2 U1
    L12 M6 U3 M1 U1 M2 U1 M7 L1 M1 U8 La U6 L6 U1 L2 U1 Lw M5 U1 M2 U1 M5 L1 U7 La U8m Lj M4 P2 U53 L1 Uf Ll
    St Ud P1 Lpm U2u L33 U1 P5 Ub L5g U218 L2p P2 Ud Ltr U1 C9 U347 Lg7 U6nt Lft U7 Lv U1 La U4 P2 L27 U1 La
    U6 Lu U2 M5 P1 Ua L1c M7 P5 S4 L4 P1 S1 Ua La U1 L7 U1 Ll U5 Lj Uj4 L2f P4 U2t L23 U4 M1 L1 M1j U7 M4 Ld
    U1s L2 P1 L1 M1 Ub M2 Ue L4qg U8 Lye U16 L9 U6w7 L4 U1 L7 U1 L2 U1 L83 U19 L3 Uh L4 U8 Lb0 U1s4 L2z U5 Ld
    U3 L9 U7 La U2 S1 M2 P1 C4 U3mk M1a U2 Mn U9 S38 U1o S6u Ua S13 U2 S1o M5 S3 M6 C8 M8 S2 M7 Su M4 S1p Ul
    S1u M3 S1 U4a Lk Uc S2f U9 Lp U3r L2d U1 L1z U1 L2 U2 L1 U2 L2 U2 L4 U1 Lc U1 L1 U1 L7 U1 L1t U1 L4 U2 L8
    U1 L7 U1 Ls U1 L4 U1 L5 U1 L1 U3 L7 U1 L9g U2 Lp S1 Lp S1 Lv S1 Lp S1 Lv S1 Lp S1 Lv S1 Lp S1 Lv S1 Lp S1
    L8 U2 L1e Se8 M1j S4 M1e S8 M1 Se M1 S2 P5 Uf M5 U1 Mf Uuo Lv U69 M7 U1 Mh U2 M7 U1 M2 U1 M5 U5x L19 U3 M7
    L7 U2 La U4 L1 S1 U8w Lu M1 Uh L18 M4 La U5 S1 Uyo L7 U1 L4 U1 L2 U1 Lf U1 L5h U2 L9 M7 U15 L1w M7 L1 U4
    La U4 P2 Ult L1n S1 L3 S1 L4 U24 L19 S1 Lf U5e L4 U1 Lr U1 L2 U1 L1 U2 L1 U1 La U1 L4 U1 L1 U1 L1 U6 L1 U4
    L1 U1 L1 U1 L1 U1 L3 U1 L2 U1 L1 U2 L1 U1 L1 U1 L1 U1 L1 U1 L1 U1 L2 U1 L1 U2 L4 U1 L7 U1 L4 U1 L4 U1 L1
    U1 La U1 Lh U5 L3 U1 L5 U1 Lh U1g S2 U7i S18 U4 S2s Uc Sf U2 Sf U1 Sf U1 S11 Ua Ld S4h U1k St Ud S18 U4 S9
    U7 S2 Ue S6 U4a S6z P5 Sk8 U5 Sg U3 Sd U3 S38 Uc S2h U7 Sc U4 S1 Uf Sc U4 S1k U8 Sa U6 S14 U8 Su U2 S2 U26
    S9g Uc Se U2 S5 U3 S5 U3 S7 U9 St U3 Sb U5 S6 Ua Sa U6 S8 U8 S7 U9 S43 U1 S1j U11 La Usm Lwyo Uw L37d U7
    L66 U2 L4g2 Ue L5rl U2e7 Lf2 U15u L3t7 Ufcfq C1 Uu C2o U3k M6o U1e6o C1eke U2 C1eke U2
"""
_KINDS: Final = tuple(cast(Kind, run[0]) for run in _RUNS.split())
#: The code points at which runs end.
_ENDS: Final = tuple(accumulate(int(run[1:], 36) for run in _RUNS.split()))

#: White space, as in `str.isspace`.
SPACES: Final = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


@lru_cache(maxsize=4096)
def kind(char: str) -> Kind:
    """Return the kind of one character."""
    return _KINDS[bisect_right(_ENDS, ord(char))]


def is_assigned(char: str) -> bool:
    """Return whether Unicode 14.0 assigns the character. Surrogates and private use count as assigned."""
    return kind(char) != "U"


def normalized(text: str, form: Literal["NFC", "NFD", "NFKC"]) -> str:
    """Normalize as Unicode 14.0 does: what it does not assign stays, and separates its neighbours."""
    if text.isascii():
        return text
    runs = ((known, "".join(run)) for known, run in groupby(text, is_assigned))
    return "".join(unicodedata.normalize(form, run) if known else run for known, run in runs)


def case_fold(text: str) -> str:
    """Fold case as Unicode 14.0 does (full folding)."""
    return "".join(char.casefold() if is_assigned(char) else char for char in text)
