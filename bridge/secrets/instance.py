"""The keys of one installation: what signs audit checkpoints, and what links and idempotency keys are made with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bridge.domain.errors import SecretError
from bridge.secrets import encoding
from bridge.secrets.files import create_atomically, read_private
from bridge.secrets.seal import key_id


class VerifyKey(msgspec.Struct, frozen=True):
    """The public half of a signing key: 32 raw bytes of Ed25519."""

    raw: bytes

    @property
    def kid(self) -> str:
        return key_id(self.raw)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature over the message holds."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class KeysFile(msgspec.Struct, frozen=True):
    """The keys as a file has them, base64url; `signing` is newest first."""

    signing: tuple[str, ...]
    hmac: str

    def __repr__(self) -> str:
        return "<instance keys>"


class InstanceKeys:
    """Signing key (Ed25519) and key for MACs (32 bytes). Neither printed nor pickled."""

    __slots__ = ("_halves", "_mac", "_signing", "verifiers")

    def __init__(self, signing: Sequence[bytes], mac: bytes) -> None:
        """Take raw keys, signing keys newest first.

        Raises:
            SecretError: no signing key, or a key of the wrong length.
        """
        if not signing or any(len(key) != 32 for key in signing) or len(mac) != 32:
            raise SecretError("the instance keys are incomplete or damaged")
        self._signing = tuple(signing)
        self._mac = mac
        self._halves = _halves(self.idempotency_key)
        self.verifiers = tuple(
            VerifyKey(Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()) for key in signing
        )

    @classmethod
    def generate(cls) -> InstanceKeys:
        return cls((Ed25519PrivateKey.generate().private_bytes_raw(),), secrets.token_bytes(32))

    @classmethod
    def load(cls, path: Path) -> InstanceKeys:
        """Read `<database file>.keys`.

        Raises:
            SecretError: unreadable, open to others, or damaged.
        """
        try:
            return cls.from_file(msgspec.json.decode(read_private(path), type=KeysFile))
        except (msgspec.MsgspecError, ValueError):
            raise SecretError(f"{path}: is not a file of instance keys") from None

    @classmethod
    def load_or_create(cls, path: Path) -> InstanceKeys:
        """Read `<database file>.keys`, or make it (0600) where there is none.

        Raises:
            SecretError: unreadable, open to others, damaged, or it cannot be made.
        """
        if not path.exists():
            try:
                create_atomically(path, json.dumps(cls.generate().to_builtins(), indent=1).encode() + b"\n")
            except FileExistsError:
                pass  # somebody made it at the same moment: theirs holds
            except OSError as error:
                raise SecretError(f"{path}: cannot be made: {error.strerror}") from error
        return cls.load(path)

    @classmethod
    def from_file(cls, file: KeysFile) -> InstanceKeys:
        """Take decoded keys. Raises ValueError or SecretError where they are damaged."""
        return cls([encoding.decode(key) for key in file.signing], encoding.decode(file.hmac))

    def to_builtins(self) -> Mapping[str, object]:
        """The private content, for a key file alone."""
        return {"signing": [encoding.encode(key) for key in self._signing], "hmac": encoding.encode(self._mac)}

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature (64 bytes) with the newest signing key, `verifiers[0]`."""
        return Ed25519PrivateKey.from_private_bytes(self._signing[0]).sign(message)

    @property
    def link_key(self) -> bytes:
        """32 bytes that sign action links."""
        return self._derived(b"alertbridge/links/v1")

    @property
    def idempotency_key(self) -> bytes:
        """32 bytes that idempotency and dedup keys are made with: stable over restarts and key rotation."""
        return self._derived(b"alertbridge/idempotency/v1")

    def idempotency(self, *parts: str) -> str:
        """A stable opaque key for these parts (22 letters): HMAC-SHA256 over their length-prefixed encoding, 128 bits."""
        inner, outer = self._halves[0].copy(), self._halves[1].copy()
        inner.update(b"".join([len(part).to_bytes(4, "big") + part for part in [part.encode() for part in parts]]))
        outer.update(inner.digest())
        return base64.urlsafe_b64encode(outer.digest()[:16]).rstrip(b"=").decode()

    def calendar_token(self, schedule: str) -> str:
        """What opens the calendar of a schedule: 32 letters, another one for every name."""
        mac = hmac.digest(
            self._derived(b"alertbridge/calendars/v1"), schedule.encode("utf-8", "surrogateescape"), "sha256"
        )
        return base64.urlsafe_b64encode(mac[:24]).decode()

    def _derived(self, purpose: bytes) -> bytes:
        return hmac.digest(self._mac, purpose, hashlib.sha256)

    def __repr__(self) -> str:
        return f"<instance keys {self.verifiers[0].kid}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("instance keys are not pickled")


def _halves(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """HMAC-SHA256 (RFC 2104) of a key up to 64 bytes, begun: copies of both cost a third of `hmac.digest`."""
    block = key.ljust(64, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in block)), hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
