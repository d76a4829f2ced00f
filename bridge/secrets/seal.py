"""Sealed texts: HPKE (RFC 9180) to the bridge's public key, bound to the place where the secret stands.

`sealed:v1:KEYID:BASE64URL` uses X25519, HKDF-SHA256 and ChaCha20-Poly1305; `sealed:v2` the same with the hybrid
post-quantum KEM MLKEM768_X25519. KEYID is the first 16 hex digits of SHA-256 over the public key's raw bytes; the last
part is the encapsulated key followed by the ciphertext. Base mode: anybody who has the public key can seal, so a sealed
text says nothing about who made it.
"""

from __future__ import annotations

import hashlib
import re
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from msgspec import Struct

from bridge.domain.errors import SecretError
from bridge.secrets import encoding
from bridge.secrets.binding import Binding

PREFIX = "sealed:"
CLASSIC, HYBRID = 1, 2
_SUITES = {
    CLASSIC: hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305),
    HYBRID: hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305),
}
_PUBLIC_LENGTH = {CLASSIC: 32, HYBRID: 1184 + 32}
_PRIVATE_LENGTH = {CLASSIC: 32, HYBRID: 64 + 32}
_ENVELOPE = re.compile(r"sealed:v([0-9]{1,3}):([0-9a-f]{16}):([A-Za-z0-9_-]+)", re.ASCII)


def key_id(public: bytes) -> str:
    """The first 16 hex digits of SHA-256 over a public key's raw bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


class Sealed(Struct, frozen=True):
    """A sealed text taken apart."""

    version: int
    kid: str
    data: bytes

    @classmethod
    def parse(cls, text: str, where: str) -> Sealed:
        """Take a sealed text apart; `where` names the field in messages, which never hold the text.

        Raises:
            SecretError: not a sealed text, or of a version this bridge does not know.
        """
        match = _ENVELOPE.fullmatch(text)
        if match is None:
            raise SecretError(f"{where}: not a sealed text (sealed:v1:KEYID:BASE64URL); seal it again")
        version = int(match[1])
        if version not in _SUITES:
            raise SecretError(f"{where}: sealed:v{version} is not known to this version of Alertbridge (v1, v2)")
        try:
            return cls(version, match[2], encoding.decode(match[3]))
        except ValueError:
            raise SecretError(f"{where}: the sealed text is damaged (not base64url); seal it again") from None


class PublicKey(Struct, frozen=True):
    """What sealing needs: `version` 1 or 2 and the raw bytes (v2: the ML-KEM-768 part, then the X25519 part)."""

    version: int
    raw: bytes

    @property
    def kid(self) -> str:
        return key_id(self.raw)

    def __post_init__(self) -> None:
        if len(self.raw) != _PUBLIC_LENGTH.get(self.version):
            raise SecretError(f"a v{self.version} public key has not the right length")


class PrivateKey:
    """Opens what was sealed to its public half. Neither printed nor pickled; `raw` is for the keyring file alone."""

    __slots__ = ("_raw", "kid", "public", "version")

    def __init__(self, version: int, raw: bytes) -> None:
        """Take raw private bytes (v2: the ML-KEM-768 seed of 64 bytes, then the X25519 key).

        Raises:
            SecretError: an unknown version or the wrong length.
        """
        if len(raw) != _PRIVATE_LENGTH.get(version):
            raise SecretError(f"a v{version} private key has not the right length")
        self.version = version
        self._raw = raw
        self.public = PublicKey(version, _public_raw(version, raw))
        self.kid = self.public.kid

    @classmethod
    def generate(cls, version: int = CLASSIC) -> PrivateKey:
        exchange = X25519PrivateKey.generate().private_bytes_raw()
        if version == CLASSIC:
            return cls(version, exchange)
        return cls(version, MLKEM768PrivateKey.generate().private_bytes_raw() + exchange)

    def raw(self) -> bytes:
        return self._raw

    def open(self, data: bytes, info: bytes) -> bytes | None:
        """The plain bytes, or None where key, binding or text do not fit (one answer for all of these)."""
        key: X25519PrivateKey | hpke.MLKEM768X25519PrivateKey
        if self.version == CLASSIC:
            key = X25519PrivateKey.from_private_bytes(self._raw)
        else:
            key = hpke.MLKEM768X25519PrivateKey(*_hybrid_halves(self._raw))
        try:
            return _SUITES[self.version].decrypt(data, key, info=info)
        except (InvalidTag, ValueError):
            return None

    def __repr__(self) -> str:
        return f"<private key {self.kid}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a private key is not pickled")


def _hybrid_halves(raw: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    return MLKEM768PrivateKey.from_seed_bytes(raw[:64]), X25519PrivateKey.from_private_bytes(raw[64:])


def _public_raw(version: int, raw: bytes) -> bytes:
    if version == CLASSIC:
        return X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
    lattice, curve = _hybrid_halves(raw)
    return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def seal(public: PublicKey, text: str, binding: Binding) -> str:
    """Seal a credential for one place; only the holder of the private key opens it, and only there.

    Raises:
        SecretError: nothing to seal, text that is not Unicode, or a public key that is no point of the curve.
    """
    if not text:
        raise SecretError(f"{binding.location}: there is nothing to seal")
    sealed: bytes | None
    try:
        key: X25519PublicKey | hpke.MLKEM768X25519PublicKey
        if public.version == CLASSIC:
            key = X25519PublicKey.from_public_bytes(public.raw)
        else:
            key = hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(public.raw[:-32]),
                X25519PublicKey.from_public_bytes(public.raw[-32:]),
            )
        sealed = _SUITES[public.version].encrypt(text.encode(), key, info=binding.info(public.version))
    except ValueError:  # also UnicodeEncodeError, which would carry the credential along
        sealed = None
    if sealed is None:
        raise SecretError(
            f"{binding.location}: cannot be sealed: the key {public.kid} is unusable or the text is not Unicode"
        )
    return f"{PREFIX}v{public.version}:{public.kid}:{encoding.encode(sealed)}"
