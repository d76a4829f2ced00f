"""The file of public keys: committed beside the configuration, it is all that sealing and checking signatures needs.

One key a line, `seal v1 KEYID BASE64URL` or `audit ed25519 KEYID BASE64URL`, newest first in each kind; lines that
begin with `#` are remarks.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from bridge.domain.errors import SecretError
from bridge.secrets import encoding
from bridge.secrets.files import write_atomically
from bridge.secrets.instance import VerifyKey
from bridge.secrets.keyring import Keyring
from bridge.secrets.seal import PublicKey, key_id

_HEADER = """\
# Public keys of Alertbridge, safe to commit. Anybody may seal to the first `seal` key;
# `audit` keys prove the checkpoints of the audit log.
"""


class PublicKeys(Struct, frozen=True):
    """Public halves, newest first: keys to seal to, and keys that prove audit checkpoints."""

    seal: tuple[PublicKey, ...]
    audit: tuple[VerifyKey, ...]

    @classmethod
    def of(cls, keyring: Keyring) -> PublicKeys:
        return cls(keyring.publics(), keyring.instance_keys().verifiers)

    @classmethod
    def load(cls, path: Path) -> PublicKeys:
        """Read the file.

        Raises:
            SecretError: unreadable, or a line that is no key; the message names the line.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(f"{path}: cannot be read: {error}") from error
        sealing: list[PublicKey] = []
        proving: list[VerifyKey] = []
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            key = _parse(line, f"{path}:{number}")
            if isinstance(key, PublicKey):
                sealing.append(key)
            else:
                proving.append(key)
        return cls(tuple(sealing), tuple(proving))

    def save(self, path: Path) -> None:
        """Write the file, atomically.

        Raises:
            SecretError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, self.render().encode(), mode=None if path.exists() else 0o644)
        except OSError as error:
            raise SecretError(f"{path}: cannot be written: {error.strerror}") from error

    def render(self) -> str:
        """The content of the file."""
        lines = [f"seal v{key.version} {key.kid} {encoding.encode(key.raw)}" for key in self.seal]
        lines += [f"audit ed25519 {key.kid} {encoding.encode(key.raw)}" for key in self.audit]
        return _HEADER + "\n".join(lines) + "\n"


def _parse(line: str, where: str) -> PublicKey | VerifyKey:
    words = line.split()
    key: PublicKey | VerifyKey | None = None
    try:
        match words:
            case ["seal", "v1" | "v2" as version, _kid, text]:
                key = PublicKey(int(version[1:]), encoding.decode(text))
            case ["audit", "ed25519", _kid, text]:
                key = VerifyKey(encoding.decode(text))
    except (ValueError, SecretError) as error:
        raise SecretError(f"{where}: the key is damaged: {error}") from error
    if key is None:
        raise SecretError(f"{where}: not a public key (seal v1 KEYID BASE64URL)")
    if key_id(key.raw) != words[2]:
        raise SecretError(f"{where}: the key id does not fit the key")
    return key
