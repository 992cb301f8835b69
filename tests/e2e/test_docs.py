"""What the documentation tells its readers to type."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY
from local.stack import ROOT, LocalStack


def blocks(page: str, language: str) -> list[str]:
    """The code of a page."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_python_of_the_http_page_gets_an_output(queued: LocalStack, capsys) -> None:
    (code,) = blocks("docs/http.md", "python")
    exec(compile(code, "docs/http.md", "exec"), {"api_url": queued.http_url})
    assert capsys.readouterr().out == '{"prompt": "Summarize."}\n'


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
def test_the_commands_of_the_http_page_sign_ask_wait_and_upload(direct: LocalStack, tmp_path: Path) -> None:
    (tmp_path / "recording.wav").write_bytes(b"RIFF")
    # An answer of 400 or more ends the script.
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n", encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "API_URL": direct.http_url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_SESSION_TOKEN": "",
    }
    script = "set -eu\n" + "echo\n".join(blocks("docs/http.md", "sh"))
    options = {"capture_output": True, "text": True, "timeout": PATIENCE_SECONDS}
    ran = subprocess.run(["bash", "-c", script], check=False, env=environment, cwd=tmp_path, **options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    assert any(line.lower().startswith("location: ") for line in lines), ran.stdout
    assert '{"prompt": "Summarize."}' in lines, "waited for"
    assert '"InferenceId":"order-4711"' in ran.stdout
    # The last command invoked what was uploaded.
    assert '"OutputLocation":"s3://' in lines[-1], ran.stdout
