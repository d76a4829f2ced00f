"""What a secret field may hold: a sealed text, `env:NAME`, `file:/path`, `credential:NAME`, or plain text."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from bridge.domain.errors import SecretError
from bridge.domain.secret import Secret
from bridge.secrets.binding import Binding
from bridge.secrets.keyring import Keyring
from bridge.secrets.seal import Sealed

MAX_FILE = 64 * 1024


class Form(StrEnum):
    """How a secret field is written."""

    SEALED = "sealed"
    ENV = "env"
    FILE = "file"
    CREDENTIAL = "credential"
    PLAIN = "plain"


def form_of(text: str) -> Form:
    """The form by the prefix alone."""
    prefix, colon, _rest = text.partition(":")
    return Form(prefix) if colon and prefix in {"sealed", "env", "file", "credential"} else Form.PLAIN


def check_form(text: str, where: str) -> Form:
    """The form, after what can be judged without keyring, variables and files was judged.

    Raises:
        SecretError: a malformed sealed text, or a reference that names nothing.
    """
    form = form_of(text)
    if form is Form.SEALED:
        Sealed.parse(text, where)
    elif form is not Form.PLAIN and not text.partition(":")[2].strip():
        raise SecretError(f"{where}: `{form.value}:` names nothing")
    return form


def resolve(text: str, where: str, environ: Mapping[str, str]) -> str:
    """Follow `env:` and `file:`; any other text is returned as it is.

    Raises:
        SecretError: the variable is not set, the file cannot be read, or either is empty. `where` names the field.
    """
    form = check_form(text, where)
    rest = text.partition(":")[2]
    if form is Form.ENV:
        value = environ.get(rest, "")
        if not value:
            raise SecretError(
                f"{where}: the environment variable {rest} is {'empty' if rest in environ else 'not set'}"
            )
        return value
    if form is Form.FILE:
        return _read(Path(rest), where)
    return text


def open_secret(secret: Secret, binding: Binding, keyring: Keyring | None, environ: Mapping[str, str]) -> Secret:
    """The credential behind a secret field. Plain text is returned as it is: whether it is allowed, others judge.

    Raises:
        SecretError: it cannot be opened or found, or points into `credentials:` (follow that first).
    """
    text = secret.reveal()
    where = binding.location
    form = check_form(text, where)
    if form is Form.CREDENTIAL:
        raise SecretError(f"{where}: the credential {text.partition(':')[2]!r} is not defined under `credentials:`")
    if form is Form.SEALED:
        if keyring is None:
            raise SecretError(f"{where}: is sealed, and there is no keyring; name one under `secrets: {{keyring: …}}`")
        return Secret(keyring.open(text, binding))
    return Secret(resolve(text, where, environ))


def _read(path: Path, where: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise SecretError(f"{where}: {path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE:
        raise SecretError(f"{where}: {path} is larger than {MAX_FILE} bytes")
    text: str | None
    try:
        text = content.decode()
    except UnicodeDecodeError:  # carries the content along, so it goes no further
        text = None
    if text is None:
        raise SecretError(f"{where}: {path} is not UTF-8 text")
    stripped = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not stripped:
        raise SecretError(f"{where}: {path} is empty")
    return stripped
