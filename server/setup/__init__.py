"""``snug-server init``: the files of a new server, filled in."""
