"""``snug-server doctor``: what is wrong with a server, why, and what to do.

The modules `probe_*` look, and return facts. The modules `judge_*` turn facts into verdicts, without I/O.
`command` prints them.
"""
