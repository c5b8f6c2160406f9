"""Sends back each datagram, on all addresses of a machine: run on a machine of the tests, with the ports."""

from __future__ import annotations

import selectors
import socket
import sys


def main(ports: list[int]) -> None:
    """Answer from the address that was asked, for ever."""
    selector = selectors.DefaultSelector()
    for port in ports:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.bind(("::", port))
        selector.register(sock, selectors.EVENT_READ, sock)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            data, sent_to, _, address = key.data.recvmsg(2048, 256)
            key.data.sendmsg([data], sent_to, 0, address)


if __name__ == "__main__":
    main([int(port) for port in sys.argv[1:]])
