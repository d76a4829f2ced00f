"""The samples of the manual's page on workflows, as files; only addresses are replaced."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/workflows.md"


def write_samples(folder: Path, *, mail_port: str, chat_url: str, chat_key: str) -> tuple[Path, Path]:
    """The mail and the chat sample."""
    mail, chat = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    mail = _replaced(mail, '"localhost", 25', f'"127.0.0.1", {mail_port}')
    chat = _replaced(
        chat, 'SlackPlugin("https://hooks.slack.example/services/…", "…")', f'SlackPlugin("{chat_url}", "{chat_key}")'
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "on_call.py", folder / "chat.py"
    for file, text in zip(files, (mail, chat), strict=True):
        file.write_text(text, encoding="utf-8")
    return files


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)
