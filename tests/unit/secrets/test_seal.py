from __future__ import annotations

import pickle
import traceback

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.errors import SecretError
from bridge.secrets import encoding
from bridge.secrets.binding import Binding
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.keyring import Keyring
from bridge.secrets.seal import CLASSIC, HYBRID, PrivateKey, PublicKey, key_id, seal

CANARY = "xoxb-canary-4f1c9d"
PLACE = Binding("production", "channels", "team-slack", "webhook_url")
RING = Keyring.generate()
KINDS = pytest.mark.parametrize("version", [CLASSIC, HYBRID])


@KINDS
@pytest.mark.parametrize("text", [CANARY, "x", "ключ 🔑", "a\nb", "sealed:v1:", "z" * 20_000])
def test_what_was_sealed_opens_where_it_was_sealed_for(version: int, text: str) -> None:
    ring = Keyring.generate(version)
    sealed = ring.seal(text, PLACE)
    assert sealed.startswith(f"sealed:v{version}:{ring.public().kid}:")
    assert CANARY not in sealed
    assert ring.open(sealed, PLACE) == text


def test_the_text_is_hpke_as_rfc_9180_with_the_documented_info() -> None:
    private = X25519PrivateKey.generate()
    raw = private.public_key().public_bytes_raw()
    info = b"".join(
        len(part).to_bytes(4, "big") + part
        for part in (b"alertbridge/seal/v1", b"production", b"channels", b"team-slack", b"webhook_url")
    )
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    _scheme, _version, kid, body = seal(PublicKey(CLASSIC, raw), CANARY, PLACE).split(":")
    assert kid == key_id(raw)
    assert suite.decrypt(encoding.decode(body), private, info=info) == CANARY.encode()


def test_sealing_twice_gives_two_texts() -> None:
    assert RING.seal(CANARY, PLACE) != RING.seal(CANARY, PLACE)


@pytest.mark.parametrize(
    "other",
    [
        Binding("staging", "channels", "team-slack", "webhook_url"),
        Binding("production", "sources", "team-slack", "webhook_url"),
        Binding("production", "channels", "other", "webhook_url"),
        Binding("production", "channels", "team-slack", "token"),
        Binding("production", "channels", "team-slackw", "ebhook_url"),
    ],
)
def test_a_text_moved_elsewhere_does_not_open(other: Binding) -> None:
    with pytest.raises(SecretError, match="does not open") as raised:
        RING.open(RING.seal(CANARY, PLACE), other)
    assert other.location in str(raised.value)


def test_a_key_that_is_not_here_is_named() -> None:
    stranger = Keyring.generate()
    with pytest.raises(SecretError, match=f"sealed with the key {stranger.public().kid}"):
        RING.open(stranger.seal(CANARY, PLACE), PLACE)


def test_the_key_id_picks_the_key_and_no_other_is_tried() -> None:
    renewed = RING.with_new_key()
    _scheme, _version, _kid, body = RING.seal(CANARY, PLACE).split(":")
    assert renewed.open(RING.seal(CANARY, PLACE), PLACE) == CANARY
    with pytest.raises(SecretError, match="does not open"):
        renewed.open(f"sealed:v1:{renewed.public().kid}:{body}", PLACE)


@KINDS
def test_no_letter_of_a_sealed_text_can_be_changed(version: int) -> None:
    ring = Keyring.generate(version)
    sealed = ring.seal(CANARY, PLACE)
    step = 1 if version == CLASSIC else 37
    for place in range(0, len(sealed), step):
        replacement = "A" if sealed[place] != "A" else "B"
        with pytest.raises(SecretError):
            ring.open(sealed[:place] + replacement + sealed[place + 1 :], PLACE)


@pytest.mark.parametrize(
    "text",
    [
        "", "sealed:", "sealed:v1", "sealed:v1::", "sealed:v9:0123456789abcdef:AAAA", "sealed:v1:0123456789abcdef:",
        "sealed:v1:0123456789ABCDEF:AAAA", "sealed:v1:0123456789abcdef:AA==", "sealed:v1:0123456789abcdef:AA+/",
        "sealed:v1:0123456789abcdef:A", "sealed:v1:0123456789abcdef:AB", " sealed:v1:0123456789abcdef:AAAA",
        "sealed:v1:0123456789abcdef:AAAA\n", "sealed:v1:0123456789abcdef:AAAA:BBBB", "sealed:v¹:0123456789abcdef:AAAA",
    ],
)  # fmt: skip
def test_a_malformed_text_is_an_error_that_names_the_field_and_never_the_text(text: str) -> None:
    with pytest.raises(SecretError) as raised:
        RING.open(text, PLACE)
    assert str(raised.value).startswith("channels/team-slack/webhook_url: ")
    assert "AAAA" not in str(raised.value)


@settings(deadline=None)
@given(st.text(max_size=60), st.binary(max_size=80))
def test_garbage_is_refused_and_never_crashes(text: str, body: bytes) -> None:
    for garbage in (text, f"sealed:{text}", f"sealed:v1:{RING.public().kid}:{encoding.encode(body)}"):
        with pytest.raises(SecretError):
            RING.open(garbage, PLACE)


@KINDS
def test_a_public_key_of_low_order_or_wrong_length_is_refused(version: int) -> None:
    raw = PrivateKey.generate(version).public.raw
    with pytest.raises(SecretError, match="length"):
        PublicKey(version, raw[:-1])
    with pytest.raises(SecretError, match="unusable"):
        seal(PublicKey(version, raw[:-32] + bytes(32)), CANARY, PLACE)


def test_nothing_and_half_a_character_cannot_be_sealed() -> None:
    with pytest.raises(SecretError, match="nothing to seal"):
        RING.seal("", PLACE)
    with pytest.raises(SecretError, match="not Unicode") as raised:
        RING.seal(f"{CANARY}\ud800", PLACE)
    assert CANARY not in "".join(traceback.format_exception(raised.value))
    assert raised.value.__context__ is None


def test_no_error_carries_what_was_opened() -> None:
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    public = X25519PrivateKey.from_private_bytes(RING._keys[0].raw()).public_key()
    sealed = suite.encrypt(CANARY.encode() + b"\xff", public, info=PLACE.info(CLASSIC))
    with pytest.raises(SecretError, match="not text") as raised:
        RING.open(f"sealed:v1:{RING.public().kid}:{encoding.encode(sealed)}", PLACE)
    assert raised.value.__context__ is None


@pytest.mark.parametrize("holder", [RING, PrivateKey.generate(), PrivateKey.generate(HYBRID), InstanceKeys.generate()])
def test_keys_are_neither_printed_nor_pickled(holder: object) -> None:
    raw = [holder.raw()] if isinstance(holder, PrivateKey) else [RING._keys[0].raw()]
    shown = f"{holder!r} {holder!s} {holder}"
    assert all(text not in shown for key in raw for text in (key.hex(), encoding.encode(key), repr(key)))
    assert len(shown) < 200
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(holder)


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), min_size=4, max_size=4), st.lists(st.text(max_size=6), min_size=4, max_size=4))
def test_two_places_never_share_an_encoding(one: list[str], other: list[str]) -> None:
    one, other = ([part.replace("\ud800", "") for part in parts] for parts in (one, other))
    assert (Binding(*one).info(1) == Binding(*other).info(1)) == (one == other)
    assert Binding(*one).info(1) != Binding(*one).info(2)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("channels/team-slack/webhook_url", ("channels", "team-slack", "webhook_url")),
        ("sources/alertmanager/auth.bearer", ("sources", "alertmanager", "auth.bearer")),
        ("channels/a/b/token", ("channels", "a/b", "token")),
        ("access/tokens/grafana-ui/token", ("access/tokens", "grafana-ui", "token")),
        ("storage/url", ("storage", "", "url")),
    ],
)
def test_a_place_reads_as_it_is_written(location: str, expected: tuple[str, str, str]) -> None:
    binding = Binding.parse("production", location)
    assert (binding.section, binding.name, binding.field) == expected
    assert binding.location == location


@pytest.mark.parametrize(
    ("path", "location"),
    [
        (("channels", "team-slack", "webhook_url"), "channels/team-slack/webhook_url"),
        (("sources", "alertmanager", "auth", "bearer"), "sources/alertmanager/auth.bearer"),
        (("access", "tokens", "grafana-ui", "token"), "access/tokens/grafana-ui/token"),
        (("storage", "url"), "storage/url"),
    ],
)
def test_the_keys_that_lead_to_a_value_give_the_same_binding_as_its_place_in_writing(
    path: tuple[str, ...], location: str
) -> None:
    assert Binding.at("production", path) == Binding.parse("production", location)


@pytest.mark.parametrize("location", ["", "channels", "channels//token", "/channels/x", "channels/x/"])
def test_what_is_no_place_is_refused(location: str) -> None:
    with pytest.raises(SecretError):
        Binding.parse("production", location)
