"""``snug crowd``: many participants in one process, to load a server that may be another machine.

`crowd.py` lets them join, stay and leave; `member.py` is one of them, `card.py` what they send, and
`summary.py` what they observed.
"""
