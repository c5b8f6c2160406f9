"""The service that `snug-server init` writes, under a real systemd: confined, and back after a crash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.hosting.machine import Machine, Network

PROGRAMS: Final = ("curl", "openssl")
ADDRESS: Final = "203.0.113.7"
#: A new certificate that is signed by itself, with its key.
CERTIFICATE: Final = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=meet.example "
    "-addext subjectAltName=DNS:meet.example -keyout /tmp/key -out /etc/ssl/certs/meet.example.pem "
    "2> /dev/null"
)
#: The fingerprint of the certificate that the server shows.
LOOK: Final = (
    f"openssl s_client -connect {ADDRESS}:443 < /dev/null 2> /dev/null | openssl x509 -noout -fingerprint"
)
HEALTH: Final = f"curl -fsSk --max-time 5 https://{ADDRESS}/healthz"


@pytest.fixture(scope="module")
def server(net: Network) -> Iterator[Machine]:
    """A machine with the files of init for a server without a proxy, and a certificate signed by itself."""
    with net.cleared():
        machine = net.machine("server", f"{ADDRESS}/24")
        machine.run(
            "snug-server init /root/files --name meet.example --address 203.0.113.7 --open password "
            "--proxy none --no-turn\n"
            "cp -r /root/files/etc/. /etc/\n"
            "getent group ssl-cert || groupadd --system ssl-cert\n"
            f"{CERTIFICATE}\n"
            "mkdir -p /etc/ssl/private; chgrp ssl-cert /etc/ssl/private; chmod 710 /etc/ssl/private\n"
            "install -m 640 -g ssl-cert /tmp/key /etc/ssl/private/meet.example.key\n"
            "systemctl daemon-reload\n"
            "systemctl start snug-server || { journalctl -u snug-server --no-pager; exit 1; }"
        )
        net.names({"meet.example": ADDRESS})
        yield machine


#: The server's process, or 0.
PID: Final = "systemctl show --property MainPID --value snug-server"


def pid(machine: Machine) -> int:
    found = int(machine.run(PID))
    assert found > 0, "signals to process 0 would end the tests"
    return found


def test_it_is_confined_and_works(server: Machine) -> None:
    server.wait(HEALTH)
    status = server.run(f"cat /proc/{pid(server)}/status")
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    uids = re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)
    assert uids is not None
    assert int(uids[1]) >= 61184, "a dynamic user"
    assert server.run("ls -A /var/lib/private 2>/dev/null || true") == ""
    # the doctor opens a room with the password, over TLS, and media answers: all of it under the restrictions
    told = server.attempt("snug-server doctor --ca /etc/ssl/certs/meet.example.pem").stdout
    assert "ok       room: a room opens" in told, told
    assert f"ok       media udp: {ADDRESS} port 40000 answers" in told, told
    assert "problem" not in told.rpartition("\n\n")[0], told


def test_a_renewed_certificate_is_served_after_a_reload(server: Machine) -> None:
    before, process = server.run(LOOK), pid(server)
    server.run(
        f"{CERTIFICATE}\n"
        "install -m 640 -g ssl-cert /tmp/key /etc/ssl/private/meet.example.key\n"
        "systemctl reload snug-server"
    )
    server.wait(f"test '{before.strip()}' != \"$({LOOK})\"")
    assert pid(server) == process


@pytest.mark.parametrize("fault", ["kill -SEGV", "kill -KILL"])
def test_it_comes_back_after_a_crash(server: Machine, fault: str) -> None:
    before = pid(server)
    server.run(f"{fault} {before}")
    server.wait(f"test $({PID}) -gt 0 && test $({PID}) != {before} && {HEALTH}")
    assert not Path(f"/proc/{server.init}/root/core").exists()


def test_a_server_that_stands_still_is_replaced(server: Machine) -> None:
    server.write("/etc/systemd/system/snug-server.service.d/test.conf", "[Service]\nWatchdogSec=2s\n")
    server.run("systemctl daemon-reload; systemctl restart snug-server")
    server.wait(HEALTH)
    before = pid(server)
    server.run(f"kill -STOP {before}")
    server.wait(f"test $({PID}) != {before} && {HEALTH}")


def test_wrong_settings_are_not_tried_again_and_again(server: Machine) -> None:
    server.run("systemctl stop snug-server; echo 'wrong = 1' >> /etc/snug/snug.toml")
    server.attempt("systemctl start snug-server")
    server.wait("systemctl is-failed --quiet snug-server")
    assert "there is no setting 'wrong'" in server.run("journalctl --unit snug-server --no-pager")
    assert server.run("systemctl show --property NRestarts --value snug-server").strip() == "0"
    # other tests may come later
    server.run("sed -i '/^wrong = 1$/d' /etc/snug/snug.toml; systemctl reset-failed snug-server")
    server.run("systemctl start snug-server")
    server.wait(HEALTH)
