"""``python -m snugroom.server.media DESCRIPTOR``: a media worker at one end of a pipe."""

import sys

from snugroom.server.media.worker import main

sys.exit(main(sys.argv[1:]))
