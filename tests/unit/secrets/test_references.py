from __future__ import annotations

import pickle
import traceback
from pathlib import Path

import pytest

from bridge.domain.errors import SecretError
from bridge.domain.secret import MASK, Secret
from bridge.secrets.binding import Binding
from bridge.secrets.keyring import Keyring
from bridge.secrets.references import Form, check_form, form_of, open_secret, resolve

PLACE = Binding("default", "channels", "chat", "token")
WHERE = PLACE.location
CANARY = "canary-58b1e0"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("sealed:v1:x", Form.SEALED), ("env:NAME", Form.ENV), ("file:/run/x", Form.FILE), ("credential:bot", Form.CREDENTIAL),
        ("https://chat.example/x", Form.PLAIN), ("plain:x", Form.PLAIN), ("env", Form.PLAIN), ("", Form.PLAIN), ("ENV:x", Form.PLAIN),
    ],
)  # fmt: skip
def test_the_prefix_alone_decides_the_form(text: str, form: Form) -> None:
    assert form_of(text) is form


@pytest.mark.parametrize("text", ["env:", "file: ", "credential:", "sealed:", "sealed:v1:abc"])
def test_a_reference_to_nothing_is_refused_by_its_form(text: str) -> None:
    with pytest.raises(SecretError, match=f"^{WHERE}: "):
        check_form(text, WHERE)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"secret", "secret"), (b"secret\n", "secret"), (b"secret\r\n", "secret"), (b"secret\n\n", "secret\n"),
        (b" secret ", " secret "), (b"secret\r", "secret\r"), ("ключ\n".encode(), "ключ"),
    ],
)  # fmt: skip
def test_a_file_gives_its_content_without_one_trailing_newline(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    assert resolve(f"file:{path}", WHERE, {}) == expected


def test_a_variable_gives_its_value() -> None:
    assert resolve("env:TOKEN", WHERE, {"TOKEN": CANARY}) == CANARY


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        ("env:TOKEN", {}, "TOKEN is not set"),
        ("env:TOKEN", {"TOKEN": ""}, "TOKEN is empty"),
        ("file:missing", {}, "missing cannot be read"),
        ("file:.", {}, "cannot be read"),
        ("file:empty", {}, "empty is empty"),
        ("file:newline", {}, "newline is empty"),
        ("file:large", {}, "larger than"),
        ("file:binary", {}, "is not UTF-8"),
    ],
)
def test_a_reference_that_leads_nowhere_names_the_field_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, environ: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    contents = {"empty": b"", "newline": b"\n", "large": b"x" * 65537, "binary": CANARY.encode() + b"\xff"}
    for name, content in contents.items():
        Path(name).write_bytes(content)
    with pytest.raises(SecretError, match=message) as raised:
        resolve(text, WHERE, environ)
    assert str(raised.value).startswith(f"{WHERE}: ")
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value.__context__)
    assert CANARY not in shown


def test_each_form_opens_to_the_credential_itself(tmp_path: Path) -> None:
    ring = Keyring.generate()
    path = tmp_path / "secret"
    path.write_text(CANARY)
    for text in (ring.seal(CANARY, PLACE), "env:TOKEN", f"file:{path}", CANARY):
        assert open_secret(Secret(text), PLACE, ring, {"TOKEN": CANARY}) == Secret(CANARY)


def test_an_opened_secret_is_not_shown_by_anything(tmp_path: Path) -> None:
    ring = Keyring.generate()
    opened = open_secret(Secret(ring.seal(CANARY, PLACE)), PLACE, ring, {})
    shown = f"{opened} {opened!r} {opened!s} {opened:>30} {[opened]} {{opened}}" + "%s %r" % (opened, opened)  # noqa: UP031
    assert CANARY not in shown
    assert MASK in shown
    with pytest.raises(TypeError):
        pickle.dumps(opened)


def test_sealed_without_a_keyring_and_an_undefined_credential_say_what_is_missing() -> None:
    sealed = Keyring.generate().seal(CANARY, PLACE)
    with pytest.raises(SecretError, match="there is no keyring"):
        open_secret(Secret(sealed), PLACE, None, {})
    with pytest.raises(SecretError, match="credential 'bot' is not defined"):
        open_secret(Secret("credential:bot"), PLACE, None, {})
