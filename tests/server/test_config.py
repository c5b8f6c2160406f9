"""Settings: valid defaults, and one clear sentence for each error."""

from __future__ import annotations

from pathlib import Path

import pytest

from snugroom.server import config
from snugroom.server.config import ConfigError, Settings


def test_defaults_are_valid_and_an_empty_file_means_them(tmp_path: Path) -> None:
    file = tmp_path / "snug.toml"
    file.write_text("")
    assert config.load(file) == Settings()


def test_every_setting_is_documented() -> None:
    assert Settings.__doc__ is not None
    for name in Settings.__struct_fields__:
        assert name in Settings.__doc__.replace(":", " ").replace(",", " ").split(), name


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    file = tmp_path / "snug.toml"
    file.write_text('listen = "[::1]:0"\nmax_members = 7\nidle_time = 12\nallowed_origins = ["http://a"]\n')
    settings = config.load(file)
    assert (settings.listen, settings.max_members, settings.idle_time) == ("[::1]:0", 7, 12.0)
    assert settings.allowed_origins == ["http://a"]
    assert settings.ring_relays == Settings().ring_relays


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_memebers = 3", "max_memebers"),
        ('peers = ["https://b.example/"]', "peers"),
        ('peers = ["https://b.example; script-src *"]', "peers"),
        ('peers = ["wss://b.example"]', "peers"),
        (f"peers = {['https://b.example'] * 9}", "peers"),
        ("[room]\nmax_members = 3", "room"),
        ("max_members = 0", "max_members"),
        ('max_members = "many"', "max_members"),
        ("idle_time = -1", "idle_time"),
        ("media_port = 65536", "media_port"),
        ("lobby_blob_bytes = 262144", "lobby_blob_bytes"),
        ("listen = ", "TOML"),
        ('listen = "8080"', "8080"),
        ('listen = "::1:8080"', "brackets"),
    ],
)
def test_the_error_names_the_wrong_setting(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "snug.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says) as error:
        config.load(file)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        config.load(tmp_path / "nothing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        config.load(tmp_path / "binary.toml")


@pytest.mark.parametrize(
    ("listen", "expected"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:80", ("::1", 80)), ("snug.test:65535", ("snug.test", 65535))],
)
def test_listen_is_taken_apart(listen: str, expected: tuple[str, int]) -> None:
    assert config.host_and_port(listen) == expected


@pytest.mark.parametrize("listen", ["", ":80", "host", "host:", "host:x", "host:65536", "host:-1", "host:²"])
def test_a_value_that_is_no_host_and_port_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError):
        config.host_and_port(listen)


def test_urls_and_wildcards() -> None:
    assert config.url("::1", 80) == "http://[::1]:80"
    assert config.url("snug.test", 80) == "http://snug.test:80"
    assert config.is_wildcard("0.0.0.0")  # noqa: S104  # the question, not a binding
    assert config.is_wildcard("::")
    assert not config.is_wildcard("127.0.0.1")
    assert not config.is_wildcard("snug.test")
