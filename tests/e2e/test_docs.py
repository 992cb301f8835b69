"""What the documentation tells its readers to type."""

from __future__ import annotations

import re

from local.stack import ROOT, LocalStack


def test_the_python_of_the_http_page_gets_an_output(queued: LocalStack, capsys) -> None:
    page = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    exec(compile(code, "docs/http.md", "exec"), {"api_url": queued.http_url})
    assert capsys.readouterr().out == '{"prompt": "Summarize."}\n'
