"""``snug lab``: every act of a hostile operator, member or outsider, done to a live meeting, and its verdict.

`operator` is the hostile server, a process of its own; `member` a whole client; `intruder` whatever somebody
has who should not read the meeting; `mallory` a member who misbehaves; `stage` all of them together; `scene`
what a scene is and how it is judged; `scenes/` the scenes by theme; `runner` and `show` run them and tell.
`leakage` measures what the server can see.
"""
