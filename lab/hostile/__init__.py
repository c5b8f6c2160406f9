"""The hostile server: the same server, run by a malicious operator.

    snug lab serve silence,partition               the acts that may begin
    {"act": "silence", "begin": {"victim": 2}}     a line on standard input, one JSON object, begins an act
    {"act": "silence", "end": true}                or ends it; after "for": 15 in its beginning, it ends
                                                   by itself in 15 s
    {"act": "silence", "did": "...", "times": 1}   a line on standard output reports what an act has done

`act` has the hooks of an act, and `context` is an act's interface to the server. `runner` has all acts in
play, and passes every message and packet through them. `server` is the server with these hooks,
`participants` is an operator's knowledge of participants, and `acts/` has one act in each file. A hostile
server has no key of any member, like the honest server. If an act needs bytes that only a member or a guest
can make, an order supplies them. The honest server never imports this package.
"""
