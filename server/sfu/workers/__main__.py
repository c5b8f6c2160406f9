"""``python -m snugroom.server.sfu.workers DESCRIPTOR LINKS``: a media worker at one end of a pipe."""

import sys

from snugroom.server.sfu.workers.worker import main

sys.exit(main(sys.argv[1:]))
