"""``python -m server.media DESCRIPTOR``: a media worker at one end of a pipe (`server.media.worker`)."""

import sys

from server.media.worker import main

sys.exit(main(sys.argv[1:]))
