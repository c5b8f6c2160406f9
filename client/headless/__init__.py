"""A headless participant: what the command line and `snugroom.Participant` share. It knows no terminal.

`runner` runs one session with its media and files to its end. `commands` parses what it can be told, and
`json_output` prints what it tells; `status` has the ends that it can come to.
"""
