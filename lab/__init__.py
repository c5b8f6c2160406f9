"""The laboratory: what attacks, shows and measures Snug. The product imports nothing of it.

- `hostile`: the server in the hands of a bad operator (``snug lab serve``)
- `attacks`: scenes in which operators, members and outsiders attack a live meeting (``snug lab``)
- `leakage`: what sizes and times tell a server (``snug lab leakage``)
- `demo`: a whole meeting on this machine, and the lecture (``snug demo``); `slides`: its slides
- `ordinary`: an ordinary server that decodes, to compare with (``snug demo --ordinary``)
- `crowd`: many participants at somebody's server (``snug crowd``)
- `bench`: measurements (``snug bench``)
- `simulation`: whole meetings in memory, for tests and ``snug bench availability``
- `process`: a server as a second process; `machine`: what Linux tells of a process

`commands` has the options of these commands; `snugroom.command` adds them to those of a participant.
"""
