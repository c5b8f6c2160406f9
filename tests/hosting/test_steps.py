"""How the pages of operators are read: each block is a step, and nothing passes unseen."""

from __future__ import annotations

import pytest

from tests.hosting import pages
from tests.hosting.steps import PageError, Step, missing, skipped, steps, variants

PAGE = """
# A page

Install it:

```sh
apt-get install nginx
cd /etc
```

```text
Setting up nginx (…) ...
```

<!-- with nginx; on relay -->
```nginx
# /etc/nginx/conf.d/x.conf: a site
server { }
```

1. In a list:

   <!-- keeps running -->
   ```sh
   snug-server \\
     --listen x
   ```

<!-- not run: it needs a name that the internet knows -->
```sh
certbot
```
"""


def test_blocks_are_steps() -> None:
    assert steps(PAGE) == [
        Step(6, "run", "apt-get install nginx\ncd /etc\n"),
        Step(11, "output", "Setting up nginx (…) ...\n"),
        Step(
            16,
            "write",
            "# /etc/nginx/conf.d/x.conf: a site\nserver { }\n",
            "relay",
            "nginx",
            "/etc/nginx/conf.d/x.conf",
        ),
        Step(24, "keep", "snug-server \\\n  --listen x\n"),
        Step(30, "skip", "it needs a name that the internet knows"),
    ]
    assert variants(steps(PAGE)) == ["nginx"]
    assert variants(steps("```sh\nls\n```\n")) == [None]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```\nls\n```\n", "no language"),
        ("```toml\nlisten = 1\n```\n", "toml"),
        ("```sh\nls\n", "no end"),
        ("Run\n\n    ls\n", "indented"),
        ("```text\noutput\n```\n", "no command is before"),
        ("<!-- not run: -->\n```sh\nls\n```\n", "no word"),
        ("<!-- not run: because -->\n```sh\nls\n```\n", "no word"),
        ("<!-- later -->\n```sh\nls\n```\n", "'later' is no word"),
        ("<!-- keeps running -->\n```toml\n# /etc/x\n```\n", "only commands"),
    ],
)
def test_a_block_that_is_no_step_is_an_error(text: str, why: str) -> None:
    with pytest.raises(PageError, match=why):
        steps(text)


def test_a_comment_belongs_to_the_block_under_it() -> None:
    text = "<!-- not run: it is an example for readers -->\n\nWords.\n\n```sh\nls\n```\n"
    assert [step.kind for step in steps(text)] == ["run"]


def test_output_is_compared_line_by_line() -> None:
    output = "a\nlistening on http://127.0.0.1:8080\nready\n"
    assert missing("listening on …\nready\n", output) is None
    assert missing("ready\nlistening on …\n", output) == "listening on …"
    assert missing("listening on https…\n", output) == "listening on https…"


@pytest.mark.parametrize("name", pages.existing())
def test_each_block_of_an_operators_page_is_a_step(name: str) -> None:
    page = steps(pages.path(name).read_text(encoding="utf-8"))
    run = [step for step in page if step.kind in ("run", "keep")]
    # a reason is an exception
    assert len(run) >= len(list(skipped(page)))
