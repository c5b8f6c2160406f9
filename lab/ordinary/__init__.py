"""An ordinary meeting server and its participants, for a class: the contrast to Snug's server.

Participants and server speak WebRTC as aiortc has it, and media are encrypted from each participant to the
server only (DTLS-SRTP). The server knows names and chat, and decodes what it forwards. It runs in a process
of its own, on 127.0.0.1. No part of Snug imports it but the demo, which compares both servers.
"""
