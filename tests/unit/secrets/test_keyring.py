from __future__ import annotations

import base64
import hmac
import json
import os
import stat
from pathlib import Path

import pytest

from bridge.domain.errors import SecretError
from bridge.secrets.binding import Binding
from bridge.secrets.files import create_atomically, permission_problem, read_private, write_atomically
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.keyring import Keyring, locate
from bridge.secrets.public_keys import PublicKeys
from bridge.secrets.seal import HYBRID, seal

PLACE = Binding("default", "channels", "chat", "token")
REGULAR = stat.S_IFREG


def _status(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "uid", "gid"), [(0o600, 7, 9), (0o400, 7, 9), (0o400, 0, 0), (0o440, 0, 5), (0o640, 7, 5), (0o700, 7, 9)]
)
def test_a_file_of_ours_or_roots_that_no_stranger_reads_is_trusted(mode: int, uid: int, gid: int) -> None:
    assert permission_problem(_status(REGULAR | mode, uid, gid), 7, {5, 6}) is None


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "problem"),
    [
        (REGULAR | 0o600, 8, 5, "belongs to user 8"),
        (REGULAR | 0o604, 7, 5, "open to everybody"),
        (REGULAR | 0o602, 7, 5, "open to everybody"),
        (REGULAR | 0o601, 7, 5, "open to everybody"),
        (REGULAR | 0o660, 7, 5, "changed by its group"),
        (REGULAR | 0o640, 7, 9, "read by group 9"),
        (stat.S_IFDIR | 0o700, 7, 5, "not a regular file"),
        (stat.S_IFIFO | 0o600, 7, 5, "not a regular file"),
    ],
)
def test_any_other_file_is_not(mode: int, uid: int, gid: int, problem: str) -> None:
    assert problem in str(permission_problem(_status(mode, uid, gid), 7, {5, 6}))


def test_a_keyring_that_others_can_read_is_refused_and_one_behind_symbolic_links_is_read(tmp_path: Path) -> None:
    ring = Keyring.generate()
    mount = tmp_path / "..2026"
    mount.mkdir()
    ring.create(mount / "keyring.json")
    (tmp_path / "..data").symlink_to("..2026")
    link = tmp_path / "keyring.json"
    link.symlink_to("..data/keyring.json")
    assert Keyring.load(link).public() == ring.public()
    (mount / "keyring.json").chmod(0o644)
    with pytest.raises(SecretError, match="open to everybody"):
        Keyring.load(link)


def test_a_pipe_in_place_of_a_keyring_does_not_hang_the_start(tmp_path: Path) -> None:
    pipe = tmp_path / "keyring.json"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(SecretError, match="not a regular file"):
        read_private(pipe)


def test_every_key_of_the_ring_opens_and_the_newest_seals(tmp_path: Path) -> None:
    path = tmp_path / "var" / "keyring.json"
    first = Keyring.generate()
    first.create(path)
    old = first.seal("old", PLACE)
    first.with_new_key(HYBRID).save(path)
    ring = Keyring.load(path)
    new = ring.seal("new", PLACE)
    assert new.startswith("sealed:v2:")
    assert [ring.open(old, PLACE), ring.open(new, PLACE)] == ["old", "new"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ring.instance_keys().link_key == first.instance_keys().link_key


def test_a_keyring_is_never_overwritten_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.write_text("something precious")
    with pytest.raises(SecretError, match="never overwritten"):
        Keyring.generate().create(path)
    assert path.read_text() == "something precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["keyring.json"]


def _damaged(content: bytes) -> list[bytes]:
    ring = json.loads(content)
    key = ring["keys"][0]
    return [
        b"", b"{}", b"[]", content[:-20], content.replace(b"keyring/1", b"keyring/2"), b"\xff" + content,
        json.dumps({**ring, "keys": []}).encode(),
        json.dumps({**ring, "keys": [key, key]}).encode(),
        json.dumps({**ring, "keys": [{**key, "version": 7}]}).encode(),
        json.dumps({**ring, "keys": [{**key, "private": key["private"][:-4]}]}).encode(),
        json.dumps({**ring, "keys": [{**key, "private": 5}]}).encode(),
        json.dumps({**ring, "instance": {**ring["instance"], "signing": []}}).encode(),
        json.dumps({**ring, "instance": {**ring["instance"], "hmac": "AAAA"}}).encode(),
    ]  # fmt: skip


def test_a_damaged_keyring_is_refused_without_showing_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    Keyring.generate().create(path)
    content = path.read_bytes()
    private = json.loads(content)["keys"][0]["private"]
    for damaged in _damaged(content):
        path.write_bytes(damaged)
        with pytest.raises(SecretError, match=r"keyring\.json") as raised:
            Keyring.load(path)
        assert private[:20] not in repr((raised.value, raised.value.__cause__, raised.value.__context__))


def test_the_key_that_seals_stays_and_an_older_one_can_go() -> None:
    old = Keyring.generate()
    ring = old.with_new_key()
    with pytest.raises(SecretError, match="is the key that seals"):
        ring.without(ring.public().kid)
    with pytest.raises(SecretError, match="holds no key"):
        ring.without("0" * 16)
    assert ring.without(old.public().kid).publics() == (ring.public(),)


def test_exactly_one_keyring_may_be_meant(tmp_path: Path) -> None:
    here, there = tmp_path / "keyring.json", tmp_path / "other.json"
    assert locate(None, {}) is None
    assert locate(here, {}) == here
    there.touch()
    assert locate(here, {"ALERTBRIDGE_KEYRING": str(there)}) == there
    assert locate(there, {"ALERTBRIDGE_KEYRING": str(there), "CREDENTIALS_DIRECTORY": str(tmp_path)}) == there
    here.touch()
    assert locate(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == here
    with pytest.raises(SecretError, match="several keyrings"):
        locate(here, {"ALERTBRIDGE_KEYRING": str(there)})
    with pytest.raises(SecretError, match="several keyrings"):
        locate(there, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_instance_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db.keys"
    made = InstanceKeys.load_or_create(path)
    again = InstanceKeys.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (made.verifiers, made.link_key, made.idempotency("a", "b")) == (
        again.verifiers,
        again.link_key,
        again.idempotency("a", "b"),
    )
    assert made.verifiers[0].verifies(again.sign(b"message"), b"message")
    assert not made.verifiers[0].verifies(again.sign(b"message"), b"another")


def test_derived_keys_differ_by_purpose_and_by_their_parts() -> None:
    keys = InstanceKeys.generate()
    assert keys.link_key != keys.idempotency_key
    assert keys.idempotency("ab", "c") != keys.idempotency("a", "bc")
    assert InstanceKeys.generate().idempotency("a") != keys.idempotency("a")


def test_an_idempotency_key_is_an_hmac_of_its_parts() -> None:
    keys = InstanceKeys.generate()
    message = b"\x00\x00\x00\x03key\x00\x00\x00\x02\xc3\xbc"
    expected = base64.urlsafe_b64encode(hmac.digest(keys.idempotency_key, message, "sha256")[:16]).decode().rstrip("=")
    assert keys.idempotency("key", "ü") == expected
    assert keys.idempotency("key", "ü") == expected, "each key begins anew"


@pytest.mark.parametrize("content", ["", "{}", '{"signing": [], "hmac": ""}', '{"signing": ["AAAA"], "hmac": "AAAA"}'])
def test_damaged_instance_keys_are_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bridge.db.keys"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SecretError):
        InstanceKeys.load_or_create(path)
    assert path.read_text() == content


def test_the_committed_file_is_all_that_sealing_needs(tmp_path: Path) -> None:
    ring = Keyring.generate().with_new_key(HYBRID)
    path = tmp_path / "public.keys"
    PublicKeys.of(ring).save(path)
    read = PublicKeys.load(path)
    assert read == PublicKeys.of(ring)
    assert ring.open(seal(read.seal[0], "text", PLACE), PLACE) == "text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    "change",
    [("seal v1", "seal v2"), ("seal v1", "seal v9"), ("audit ed25519", "audit rsa"), ("seal v1 ", "seal v1 0")],
)
def test_a_damaged_line_of_public_keys_is_named(tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "public.keys"
    path.write_text(PublicKeys.of(Keyring.generate()).render().replace(*change))
    with pytest.raises(SecretError, match=r"public\.keys:\d"):
        PublicKeys.load(path)


def test_replacing_a_file_keeps_its_mode_and_the_symbolic_link_to_it(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "target"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "inside").touch()
    with pytest.raises(OSError, match=r"."):
        write_atomically(taken, b"new")
    with pytest.raises(FileExistsError):
        create_atomically(taken, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
