"""Debian's package and the image: built from this checkout, and used as an administrator would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.hosting.machine import ROOT, Machine, Network

PROGRAMS: Final = ("curl", "dpkg-deb", "python3")
ADDRESS: Final = "203.0.113.7"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uv = shutil.which("uv") or next((str(p) for p in ROOT.glob(".uv/bin/uv")), None)
    if uv is None:
        pytest.skip("there is no uv here: `make` installs it")
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [str(ROOT / "packaging/build/deb"), str(folder)],
        env={**os.environ, "UV": uv, "BUILDER": sys.executable, "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.split()[-1])


@pytest.fixture(scope="module")
def server(net: Network, package: Path) -> Iterator[Machine]:
    """A machine on which the package has been installed, in place of the command that tests have there."""
    with net.cleared():
        machine = net.machine("server", f"{ADDRESS}/24")
        (machine.root / "root" / package.name).write_bytes(package.read_bytes())
        machine.run("rm -f /usr/bin/snug-server /usr/bin/snug")
        machine.told = machine.run(f"dpkg --install /root/{package.name}")  # type: ignore[attr-defined]
        # now: the tests start it, in any order
        machine.begun = machine.attempt("systemctl is-active snug-server").stdout.strip()  # type: ignore[attr-defined]
        yield machine


def test_what_is_in_it(package: Path) -> None:
    listed = subprocess.run(
        ["dpkg-deb", "-c", str(package)], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split() for line in listed.splitlines()]
    assert {line[1] for line in lines} == {"root/root"}
    # one time for all files: the same wheels make the same package
    assert {line[3] for line in lines} == {"2023-11-14"}
    paths = [line[5] for line in lines]
    for wanted in (
        "./etc/snug/snug.toml",
        "./usr/bin/snug-server",
        "./usr/lib/systemd/system/snug-server.service",
    ):
        assert wanted in paths
    assert any(path.endswith("server/page/bundle/index.html") for path in paths)
    unwanted = ("/av/", "/rich/", "__pycache__", "direct_url.json", "/client/web/")
    assert [path for path in paths if any(part in path for part in unwanted)] == []


def test_it_is_installed_and_not_started(server: Machine) -> None:
    assert "snug-server init" in server.told  # type: ignore[attr-defined]
    assert server.begun == "inactive"  # type: ignore[attr-defined]
    assert server.run("snug-server --version").startswith("snug-server 0.")
    # without settings, it serves this machine alone, and is well
    server.run("systemctl start snug-server")
    server.run("curl -fsS http://127.0.0.1:8080/ | grep -q '<html'")
    told = server.attempt("snug-server doctor --json").stdout
    judged = json.loads(told)["verdicts"]
    assert [verdict for verdict in judged if verdict["level"] == "problem"] == []
    assert "room" in [verdict["check"] for verdict in judged]


def test_init_leaves_the_packaged_service_alone(server: Machine) -> None:
    server.run(f"snug-server init /root/files --name meet.example --address {ADDRESS} --open anyone")
    server.run("test ! -e /root/files/etc/systemd/system/snug-server.service; cp -r /root/files/etc/. /etc/")
    server.run(
        "systemctl restart snug-server; curl -fsS http://127.0.0.1:8080/where.json | grep -q meet.example"
    )


def test_it_goes_and_leaves_only_settings(server: Machine) -> None:
    server.run("dpkg --remove snug-server; test ! -e /usr/bin/snug-server; test ! -e /usr/lib/snug")
    assert server.attempt("systemctl is-active snug-server").stdout.strip() == "inactive"
    server.run("test -e /etc/snug/snug.toml; dpkg --purge snug-server; test ! -e /etc/snug/snug.toml")
    server.run("dpkg --install /root/*.deb")  # for the other tests, in any order


@pytest.mark.timeout(900)  # it builds an image of Debian
def test_the_image_has_a_server(package: Path, tmp_path: Path) -> None:
    missing = [name for name in ("mmdebstrap", "umoci") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"it needs root and {', '.join(missing)}: .ci/hosting installs them")
    built = subprocess.run(
        [str(ROOT / "packaging/build/image"), str(package), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    layout = tmp_path / "layout"
    layout.mkdir()
    subprocess.run(["tar", "-xf", built.stdout.split()[-1], "-C", str(layout)], check=True)
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:snug", str(tmp_path / "bundle")], check=True)
    config = json.loads((tmp_path / "bundle/config.json").read_text())
    assert config["process"]["args"] == ["/usr/bin/snug-server", "--config", "/etc/snug/snug.toml"]
    assert config["process"]["user"]["uid"] == 65534
    # no container engine is here: its files are the root of a process in namespaces of its own
    inside = [
        "unshare",
        "-mpnif",
        "--kill-child",
        "chroot",
        "--userspec=65534:65534",
        str(tmp_path / "bundle/rootfs"),
    ]
    script = (
        "set -e; cd /tmp; snug-server --version; "
        "snug-server init files --name a.test --address 192.0.2.1 --open anyone > /dev/null; "
        "test -e files/etc/snug"
    )
    done = subprocess.run([*inside, "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("snug-server 0.")
