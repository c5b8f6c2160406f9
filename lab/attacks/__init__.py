"""``snug lab``: each act of a hostile operator, member or outsider in a live meeting, and its verdict.

`operator` runs the hostile server in a separate process. `member` is a whole client. `intruder` must not read
the meeting, and holds everything else that an outsider may have. `mallory` is a member who misbehaves.
`stage` combines them. `scene` defines scenes and judges them, `scenes/` holds the scenes by theme, and
`runner` and `show` run and report them. `leakage` measures what the server can see.
"""
