"""`alertbridge secrets`: keys, sealed texts, and which key each of them needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from bridge.cli.located import located
from bridge.config.documents import find_files
from bridge.config.problems import did_you_mean
from bridge.domain.errors import BridgeError, SecretError, StorageError
from bridge.secrets.binding import Binding
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.keyring import Keyring, locate
from bridge.secrets.places import Place, find_places, read_secret_file
from bridge.secrets.public_keys import PublicKeys
from bridge.secrets.rotate import Resealed, bindings_of, open_place, rename, retire, rotate
from bridge.secrets.seal import CLASSIC, HYBRID, PublicKey, seal
from bridge.secrets.settings import LightSettings, light_settings, names_in
from bridge.storage.audit_log import open_audit_log
from bridge.storage.postgres_address import Address

app = typer.Typer(help="Keys and sealed secrets.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)

_ANSWER_IS_NO = 1
_WRONG_USAGE = 2
_COULD_NOT = 3
_NOT_ROTATED = (
    "Key rotation is not credential rotation: who had the old key and the old files still knows the credentials. "
    "If a key may have leaked, change the credentials themselves and seal them anew."
)

Config = Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")]
KeyringFile = Annotated[Path | None, typer.Option("--keyring", help="instead of the configured keyring")]
PublicFile = Annotated[Path | None, typer.Option("--public-keys", help="instead of the configured file of public keys")]
Environment = Annotated[str | None, typer.Option("--environment", help="instead of the configured environment")]
DatabaseFile = Annotated[Path | None, typer.Option("--database", help="instead of the configured database file")]
PostQuantum = Annotated[bool, typer.Option("--post-quantum", help="a hybrid key (X25519 and ML-KEM-768); longer texts")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
For = Annotated[str | None, typer.Option("--for", metavar="SECTION/NAME/FIELD", help="channels/team-slack/webhook_url")]
Rename = Annotated[
    tuple[str, str] | None, typer.Option("--rename", metavar="OLD NEW", help="bind what was sealed for OLD to NEW")
]
_ROUTES = Path("routes")
_NAMED = ("channels", "credentials", "sources", "access")
HOLD_SECRETS = (*_NAMED, "hooks", "http", "storage")
"""The sections in which sealed texts are opened; the first ones have names that can be told apart."""


class _Workplace(msgspec.Struct, frozen=True):
    """What a command works on: the flags before the configuration, the configuration before the defaults."""

    files: tuple[Path, ...]
    settings: LightSettings
    keyring: Path

    def open_keyring(self) -> Keyring:
        if not self.keyring.exists():
            _fail(f"{self.keyring}: there is no keyring; `alertbridge secrets keygen` makes one", _COULD_NOT)
        return Keyring.load(self.keyring)

    def binding(self, location: str) -> Binding:
        return Binding.parse(self.settings.environment, location)


@app.command("keygen")
def make_keyring(
    config: Config = _ROUTES,
    keyring: KeyringFile = None,
    public_keys: PublicFile = None,
    *,
    post_quantum: PostQuantum = False,
    as_json: AsJson = False,
) -> None:
    """Make a keyring and the file of public keys. An existing keyring is never overwritten."""
    try:
        place = _workplace(config, keyring, public_keys, None)
        if place.keyring.exists():
            hint = "`alertbridge secrets rotate` makes a new key in it"
            _fail(f"{place.keyring}: there is a keyring already; {hint}. {_NOT_ROTATED}", _ANSWER_IS_NO)
        made = Keyring.generate(HYBRID if post_quantum else CLASSIC, _keys_in_use(place.settings))
        made.create(place.keyring)
        if place.settings.public_keys is not None:
            PublicKeys.of(made).save(place.settings.public_keys)
    except BridgeError as error:
        _fail(str(error), _COULD_NOT)
    facts = {"keyring": str(place.keyring), "key": made.public().kid, "public_keys": _text(place.settings.public_keys)}
    if as_json:
        typer.echo(msgspec.json.encode(facts))
        return
    typer.echo(f"made the key {made.public().kid} in {place.keyring}: keep a copy in a safe place, and out of git")
    if place.settings.public_keys is None:
        typer.echo("commit these lines as the file named by `secrets: {public_keys: FILE}`, and everybody can seal:\n")
        typer.echo(PublicKeys.of(made).render(), nl=False)
    else:
        typer.echo(
            f"wrote the public keys to {place.settings.public_keys}: commit them, they are all that sealing needs"
        )


@app.command("seal")
def seal_text(
    where: For = None,
    config: Config = _ROUTES,
    keyring: KeyringFile = None,
    public_keys: PublicFile = None,
    environment: Environment = None,
    renamed: Rename = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Seal a secret from standard input, or from a hidden prompt, for one place of the configuration."""
    if (where is None) == (renamed is None):
        _fail("give either --for SECTION/NAME/FIELD, or --rename OLD NEW", _WRONG_USAGE)
    try:
        place = _workplace(config, keyring, public_keys, environment)
        if renamed is not None:
            _report(rename(place.open_keyring(), place.files, place.settings.environment, *renamed), as_json=as_json)
            return
        try:
            binding = place.binding(where or "")
        except SecretError as error:
            _fail(str(error), _WRONG_USAGE)
        _warn_of_a_strange_place(binding, place.files)
        public = _public_key(place)
        text = seal(public, _secret_from_input(), binding)
    except BridgeError as error:
        _fail(str(error), _ANSWER_IS_NO if renamed else _COULD_NOT)
    answer = {"for": binding.location, "environment": binding.environment, "key": public.kid, "sealed": text}
    typer.echo(msgspec.json.encode(answer) if as_json else text)


@app.command("list")
def list_secrets(
    config: Config = _ROUTES, keyring: KeyringFile = None, environment: Environment = None, *, as_json: AsJson = False
) -> None:
    """Show where sealed texts stand, which key each needs, and whether it opens."""
    try:
        place = _workplace(config, keyring, None, environment)
        ring = Keyring.load(place.keyring) if place.keyring.exists() else None
        rows = [_described(found, place.settings.environment, ring) for found in _places(place.files)]
    except BridgeError as error:
        _fail(str(error), _COULD_NOT)
    if as_json:
        typer.echo(msgspec.json.encode({"secrets": rows}))
        return
    for row in rows:
        typer.echo(f"{row['for']}  key {row['key'] or '?'}  {row['state']}  {row['where']}")
    if not rows:
        typer.echo("nothing is sealed")


@app.command("rotate")
def rotate_key(
    config: Config = _ROUTES,
    keyring: KeyringFile = None,
    public_keys: PublicFile = None,
    environment: Environment = None,
    *,
    post_quantum: PostQuantum = False,
    as_json: AsJson = False,
) -> None:
    """Make a new key and seal every secret of the configuration to it, in place."""
    try:
        place = _workplace(config, keyring, public_keys, environment)
        place.open_keyring()
        version = HYBRID if post_quantum else CLASSIC
        done = rotate(place.keyring, place.files, place.settings.environment, place.settings.public_keys, version)
    except BridgeError as error:
        _fail(str(error), _ANSWER_IS_NO)
    _report(done, as_json=as_json)
    typer.echo(_NOT_ROTATED, err=True)


@app.command("retire")
def retire_key(
    kid: Annotated[str, typer.Argument(metavar="KEYID")],
    config: Config = _ROUTES,
    keyring: KeyringFile = None,
    public_keys: PublicFile = None,
    database: DatabaseFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Take a key out of the keyring, if no sealed text needs it any more."""
    try:
        place = _workplace(config, keyring, public_keys, None)
        place.open_keyring()
        needed = [found.kid for found in _places(place.files)]
        needed += _kept_in_database(database or located(place.settings, place.keyring))
        retire(place.keyring, kid, needed, place.settings.public_keys)
    except BridgeError as error:
        _fail(str(error), _ANSWER_IS_NO)
    typer.echo(msgspec.json.encode({"retired": kid}) if as_json else f"retired the key {kid}")


def _workplace(config: Path, keyring: Path | None, public_keys: Path | None, environment: str | None) -> _Workplace:
    try:
        files = find_files(config) if config != _ROUTES or config.exists() else ()
    except OSError as error:
        raise SecretError(f"{config}: cannot be read: {error.strerror}") from error
    found = light_settings(files, os.environ)
    settings = msgspec.structs.replace(
        found, public_keys=public_keys or found.public_keys, environment=environment or found.environment
    )
    return _Workplace(files, settings, keyring or locate(found.keyring, os.environ) or found.keyring)


def _warn_of_a_strange_place(binding: Binding, files: tuple[Path, ...]) -> None:
    """A text that is sealed for a misspelt place opens nowhere, and that is found out late.

    Exit 2 where the configuration has no such section; a word on standard error where it has no such name yet.
    """
    section, _, below = binding.section.partition("/")
    if section not in HOLD_SECRETS:
        known = ", ".join(HOLD_SECRETS)
        _fail(f"nothing in {section!r} is secret{did_you_mean(section, HOLD_SECRETS)}; sections: {known}", _WRONG_USAGE)
    if section not in _NAMED or not files:
        return
    names = names_in(files, section, below)
    if binding.name not in names:
        hint = did_you_mean(binding.name, names)
        typer.echo(f"note: there is no {binding.section}/{binding.name} yet{hint}", err=True)


def _public_key(place: _Workplace) -> PublicKey:
    path = place.settings.public_keys
    if path is not None and path.exists():
        keys = PublicKeys.load(path).seal
        if not keys:
            raise SecretError(f"{path}: holds no key to seal to")
        return keys[0]
    return place.open_keyring().public()


def _keys_in_use(settings: LightSettings) -> InstanceKeys | None:
    """The keys a bridge made at its first start: a keyring takes them over, so that links and checkpoints stay valid."""
    if settings.database is None:
        return None
    path = settings.database.with_name(settings.database.name + ".keys")
    return InstanceKeys.load(path) if path.exists() else None


def _secret_from_input() -> str:
    if sys.stdin.isatty():
        text = str(typer.prompt("Secret", hide_input=True, confirmation_prompt=True, err=True))
    else:
        data = sys.stdin.buffer.read()
        text = data.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
    if not text:
        _fail("there is nothing to seal: the secret is empty", _WRONG_USAGE)
    return text


def _places(files: tuple[Path, ...]) -> list[Place]:
    return [place for path in files for place in read_secret_file(path).places]


def _described(place: Place, environment: str, keyring: Keyring | None) -> dict[str, str]:
    kid, state = "", "not checked: no keyring"
    location = "/".join(place.path)
    try:
        kid = place.kid
        bindings = bindings_of(place, environment)
        location = bindings[0].location
        if keyring is not None:
            open_place(keyring, place, bindings)
            state = "opens, newest key" if kid == keyring.public().kid else "opens, older key"
    except SecretError as error:
        state = f"does not open: {error}"
    return {"for": location, "key": kid, "state": state, "where": place.where}


def _kept_in_database(database: Path | Address | None) -> list[str]:
    """Keys of the last good configuration texts, which a bridge falls back to."""
    if database is None or (isinstance(database, Path) and not database.exists()):
        return []
    needed: list[str] = []
    shown = database.name if isinstance(database, Address) else database
    try:
        with open_audit_log(database) as log:
            for name, text in log.good_files():
                needed += [place.kid for place in find_places(text, Path(f"{shown}:{name}"))]
    except StorageError as error:
        raise SecretError(f"whether the key is needed cannot be told: {error}") from error
    return needed


def _report(done: Resealed, *, as_json: bool) -> None:
    if as_json:
        files = {str(path): count for path, count in done.files}
        typer.echo(msgspec.json.encode({"key": done.kid, "resealed": done.count, "files": files}))
        return
    for path, count in done.files:
        typer.echo(f"{path}: {count} sealed anew")
    typer.echo(f"{done.count} secrets use the key {done.kid} now")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
