from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.domain.errors import SecretError
from bridge.secrets.binding import Binding
from bridge.secrets.keyring import Keyring
from bridge.secrets.places import find_places, read_secret_file
from bridge.secrets.public_keys import PublicKeys
from bridge.secrets.rotate import bindings_of, open_place, rename, retire, rotate
from bridge.secrets.seal import CLASSIC, HYBRID

TOKEN = re.compile(r"sealed:v[12]:[0-9a-f]{16}:[A-Za-z0-9_-]+")
TEMPLATE = """\
# a remark with {comment} stays\r
secrets: {{environment: production}}
channels:
  'team-slack':   {{type: slack,  webhook_url:   "{slack}"}}   # kept
  ключ 🔑: {{type: slack, token: '{odd}'}}
  mail:
    type: email
    password: >-
      {mail}

access:
  tokens:
    - token: {token}
      roles: [viewer]
      name: grafana-ui
sources: {{am: {{auth: {{bearer: !!str {bearer} }}}}}}\t
"""
PLACES = {
    "slack": "channels/team-slack/webhook_url",
    "odd": "channels/ключ 🔑/token",
    "mail": "channels/mail/password",
    "token": "access/tokens/grafana-ui/token",
    "bearer": "sources/am/auth.bearer",
}


def _binding(location: str) -> Binding:
    return Binding.parse("production", location)


def _text(ring: Keyring) -> str:
    sealed = {name: ring.seal(f"secret of {name}", _binding(location)) for name, location in PLACES.items()}
    return TEMPLATE.format(comment=ring.seal("left alone", _binding("a/b/c")), **sealed)


class Workplace:
    """A keyring, two files and the committed public keys."""

    def __init__(self, folder: Path, version: int = CLASSIC) -> None:
        self.keyring = folder / "keyring.json"
        self.public = folder / "public.keys"
        self.main = folder / "main.yml"
        self.team = folder / "team.yaml"
        ring = Keyring.generate(version)
        ring.create(self.keyring)
        PublicKeys.of(ring).save(self.public)
        self.main.write_bytes(_text(ring).encode())
        sealed = ring.seal("secret of team", _binding("channels/team/token"))
        self.team.write_bytes(f'\ufeffchannels: {{team: {{token: "{sealed}"}}}}'.encode())

    @property
    def files(self) -> list[Path]:
        return [self.main, self.team]

    def rotate(self, version: int = CLASSIC) -> str:
        return rotate(self.keyring, self.files, "production", self.public, version).kid

    def opened(self) -> dict[str, str]:
        ring = Keyring.load(self.keyring)
        places = [place for path in self.files for place in read_secret_file(path).places]
        found = [(place, bindings_of(place, "production")) for place in places]
        return {bindings[0].location: open_place(ring, place, bindings)[0] for place, bindings in found}

    def kids(self) -> set[str]:
        return {place.kid for path in self.files for place in read_secret_file(path).places}


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


EXPECTED = {
    **{location: f"secret of {name}" for name, location in PLACES.items()},
    "channels/team/token": "secret of team",
}


def test_every_sealed_value_is_found_with_its_place_and_no_remark_is(place: Workplace) -> None:
    assert place.opened() == EXPECTED


def test_a_place_names_line_and_column(place: Workplace) -> None:
    found = {bindings_of(at, "production")[0].location: at.where for at in read_secret_file(place.main).places}
    assert found["channels/team-slack/webhook_url"] == f"{place.main}:4:49"


@pytest.mark.parametrize(("before", "after"), [(CLASSIC, CLASSIC), (CLASSIC, HYBRID), (HYBRID, CLASSIC)])
def test_rotation_changes_the_sealed_texts_and_nothing_else(tmp_path: Path, before: int, after: int) -> None:
    place = Workplace(tmp_path, before)
    texts = [path.read_bytes().decode() for path in place.files]
    kid = place.rotate(after)
    for old, path in zip(texts, place.files, strict=True):
        new = path.read_bytes().decode()
        assert TOKEN.sub("#", new) == TOKEN.sub("#", old)
        assert new != old
    comment = texts[0].splitlines()[0]
    assert place.main.read_bytes().decode().splitlines()[0] == comment
    assert place.kids() == {kid}
    assert place.opened() == EXPECTED
    assert PublicKeys.load(place.public).seal[0].kid == kid


def test_rotation_refuses_as_a_whole_if_one_text_does_not_open(place: Workplace) -> None:
    place.team.write_text(place.team.read_text().replace("team:", "renamed:"))
    before = [path.read_bytes() for path in (*place.files, place.keyring, place.public)]
    with pytest.raises(SecretError, match=r"team\.yaml:1:\d+: channels/renamed/token: does not open"):
        place.rotate()
    assert [path.read_bytes() for path in (*place.files, place.keyring, place.public)] == before


@pytest.mark.parametrize(
    "broken", ["channels: [", "a: &x sealed:v1:0\nb: *x", "sealed: sealed:v9:x", "---\na: b\n---\nc: d\n"]
)
def test_rotation_refuses_a_file_it_cannot_be_sure_of(place: Workplace, broken: str) -> None:
    place.team.write_text(broken)
    before = place.main.read_bytes()
    with pytest.raises(SecretError, match=r"team\.yaml"):
        place.rotate()
    assert place.main.read_bytes() == before


def test_a_crash_in_the_middle_leaves_every_file_readable(tmp_path: Path) -> None:
    """The process is killed at every rename in turn: what is on disk opens each time, and the next try finishes."""
    program = """
import os, signal, sys
from pathlib import Path
from bridge.secrets.rotate import rotate
folder, count = Path(sys.argv[1]), int(sys.argv[2])
def hook(event, arguments):
    global count
    if event == "os.rename":
        count -= 1
        if count < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
rotate(folder / "keyring.json", [folder / "main.yml", folder / "team.yaml"], "production", folder / "public.keys")
"""
    ends = []
    for count in range(5):
        folder = tmp_path / str(count)
        folder.mkdir()
        place = Workplace(folder)
        done = subprocess.run([sys.executable, "-c", program, folder, str(count)], check=False, env={**os.environ})
        ends.append(done.returncode)
        assert place.opened() == EXPECTED
        kid = place.rotate()
        assert place.kids() == {kid}
    assert ends == [-signal.SIGKILL] * 4 + [0]


def test_after_a_rename_the_texts_are_bound_to_the_new_name(place: Workplace) -> None:
    ring = Keyring.load(place.keyring)
    place.main.write_bytes(place.main.read_bytes().replace(b"'team-slack'", b"ops"))
    with pytest.raises(SecretError, match="does not open"):
        place.opened()
    before = place.team.read_bytes()
    done = rename(ring, place.files, "production", "channels/team-slack", "channels/ops")
    assert done.count == 1
    assert place.opened()["channels/ops/webhook_url"] == "secret of slack"
    assert place.team.read_bytes() == before
    assert rename(ring, place.files, "production", "team-slack", "ops").count == 0


def test_a_rename_that_was_not_made_in_the_files_is_refused(place: Workplace) -> None:
    with pytest.raises(SecretError, match="change the name in the configuration first"):
        rename(Keyring.load(place.keyring), place.files, "production", "team-slack", "ops")


def test_a_rename_cannot_move_a_text_to_another_field(place: Workplace) -> None:
    text = place.main.read_bytes().replace(b"'team-slack'", b"ops").replace(b"webhook_url", b"token")
    place.main.write_bytes(text)
    with pytest.raises(SecretError, match="does not open"):
        rename(Keyring.load(place.keyring), place.files, "production", "team-slack", "ops")
    assert place.main.read_bytes() == text


def test_a_key_goes_only_when_nothing_needs_it(place: Workplace) -> None:
    old = Keyring.load(place.keyring).public().kid
    place.rotate()
    with pytest.raises(SecretError, match="still needed by 2"):
        retire(place.keyring, old, [old, "other", old], place.public)
    retire(place.keyring, old, place.kids(), place.public)
    assert [key.kid for key in Keyring.load(place.keyring).publics()] == list(place.kids())
    assert [key.kid for key in PublicKeys.load(place.public).seal] == list(place.kids())
    assert place.opened() == EXPECTED


def test_an_element_of_a_list_keeps_what_it_was_sealed_for(place: Workplace) -> None:
    ring = Keyring.load(place.keyring)
    for_list, for_element = _binding("sources/g/auth.hmac_secret"), _binding("sources/g/auth.hmac_secret.1")
    tokens = [ring.seal("one", for_list), ring.seal("two", for_element)]
    place.team.write_text(f"sources: {{g: {{auth: {{hmac_secret: ['{tokens[0]}', '{tokens[1]}']}}}}}}")
    place.rotate()
    one, two = (found.token for found in read_secret_file(place.team).places)
    renewed = Keyring.load(place.keyring)
    assert (renewed.open(one, for_list), renewed.open(two, for_element)) == ("one", "two")
    assert [one, two] != tokens


def test_a_sealed_text_that_is_folded_over_lines_is_not_guessed_at() -> None:
    sealed = Keyring.generate().seal("x", _binding("a/b/c"))
    folded = f'channels:\n  a:\n    token: "{sealed[:40]}\\\n      {sealed[40:]}"\n'
    with pytest.raises(SecretError, match="on one line"):
        find_places(folded, Path("x.yml"))


def test_deep_nesting_and_large_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="nested deeper"):
        find_places("[" * 5000, Path("x.yml"))
    large = tmp_path / "x.yml"
    large.write_text("#" * ((1 << 20) + 1))
    with pytest.raises(SecretError, match="larger than"):
        read_secret_file(large)
