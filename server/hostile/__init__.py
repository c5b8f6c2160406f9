"""The operator turned bad: the same server, in the hands of somebody who means harm.

    snug-server --hostile silence,partition        acts that may be begun
    {"act": "silence", "begin": {"victim": 2}}     one JSON object a line on standard input begins one,
    {"act": "silence", "end": true}                or ends it;
    {"act": "silence", "did": "...", "times": 1}   standard output says what was done

`act` is what an act can do, `troupe` has them all and hands every message and packet around, `house` is the
server that they play in, `guests` what an operator knows of people, `acts/` one act a file. It holds no key:
it is as blind as the honest server, and where an act needs bytes that only a member or a guest could make,
they are handed in. Nothing of the honest server imports this package.
"""
