"""`alertbridge import`: other programs' configurations, turned into ours."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NoReturn

import msgspec
import typer
from msgspec.structs import replace

from bridge.channels.registry import ChannelRegistry
from bridge.cli.choices import chosen
from bridge.cli.trusted import ROUTES, keyring_file, settings_of
from bridge.config.load import load
from bridge.domain.errors import BridgeError, ConfigError, SecretError
from bridge.hooks.registry import HookRegistry
from bridge.importing.alertmanager import Imported, import_file
from bridge.importing.output import Output, write
from bridge.importing.report import Report
from bridge.secrets.files import write_atomically
from bridge.secrets.keyring import Keyring
from bridge.secrets.public_keys import PublicKeys
from bridge.secrets.seal import PublicKey
from bridge.secrets.settings import LightSettings

app = typer.Typer(
    help="Other programs' configurations, turned into ours.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_SOMETHING_MISSING = 1
_WRONG_USAGE = 2
_COULD_NOT = 3
_STANDARD_OUTPUT = Path("-")
_SEAL, _ENV = "seal", "env"


@app.callback()
def _describe() -> None:
    """Other programs' configurations, turned into ours."""


@app.command("alertmanager")
def alertmanager(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="an alertmanager.yml")],
    output: Annotated[Path, typer.Option("--output", help="the file to write; - is standard output")] = Path("-"),
    config: Annotated[
        Path, typer.Option("--config", help="the configuration whose keys and environment seal")
    ] = ROUTES,
    keyring: Annotated[Path | None, typer.Option("--keyring", help="instead of the configured keyring")] = None,
    public_keys: Annotated[
        Path | None, typer.Option("--public-keys", help="instead of the configured file of public keys")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="instead of the configured environment")
    ] = None,
    secrets: Annotated[
        str | None, typer.Option("--secrets", help="seal insists on a key; env writes references to variables instead")
    ] = None,
    *,
    keygen: Annotated[bool, typer.Option("--keygen", help="make a keyring if there is none")] = False,
    force: Annotated[bool, typer.Option("--force", help="overwrite the output")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Turn an alertmanager.yml into our configuration, and report what became of every key of it.

    The report goes to standard error; as JSON to standard output if that is free. Exit 0: everything has its
    counterpart; 1: something was left out, or wants doing by hand; 3: the file could not be read.
    """
    (wish,) = chosen("--secrets", [secrets], (_SEAL, _ENV)) if secrets is not None else (None,)
    if output != _STANDARD_OUTPUT and output.exists() and not force:
        _fail(f"{output}: there is such a file already; --force overwrites it", _WRONG_USAGE)
    try:
        settings = settings_of(config)
        settings = replace(settings, environment=environment or settings.environment)
        key = None if wish == _ENV else _key(settings, keyring, public_keys, make=keygen)
        if key is None and wish == _SEAL:
            raise SecretError("there is no key to seal to; `alertbridge secrets keygen` or --keygen makes one")
        imported = import_file(file, key, settings.environment)
        text = write(_with_settings(imported, settings, keyring, public_keys), _heading(file, imported))
        problems = _problems(text, output)
        _save(text, output)
    except (BridgeError, OSError) as error:
        where = f"{file}: " if isinstance(error, OSError) else ""
        _fail(f"{where}{getattr(error, 'strerror', None) or error}", _COULD_NOT)
    report = Report.of(imported, None if output == _STANDARD_OUTPUT else str(output), problems)
    _tell(report, as_json=as_json)
    if key is None and wish is None and report.wanted and not as_json:
        typer.echo(
            "nothing was sealed, because there is no keyring: --keygen makes one, --secrets env is content", err=True
        )
    if report.left_out or report.problems or (report.wanted and wish is None):
        raise typer.Exit(_SOMETHING_MISSING)


def _key(settings: LightSettings, keyring: Path | None, public_keys: Path | None, *, make: bool) -> PublicKey | None:
    """The newest public key: of the file that is named, else of the configured ones, else of the keyring."""
    file = public_keys or (settings.public_keys if keyring is None else None)
    if file is not None and (public_keys is not None or file.exists()):
        keys = PublicKeys.load(file).seal
        if not keys:
            raise SecretError(f"{file}: holds no key to seal to")
        return keys[0]
    ring = keyring_file(settings, keyring)
    if ring is not None:
        return Keyring.load(ring).public()
    if keyring is not None and not make:
        raise SecretError(f"{keyring}: there is no keyring; --keygen makes one")
    if not make:
        return None
    made = Keyring.generate()
    made.create(keyring or settings.keyring)
    typer.echo(f"made a keyring, {keyring or settings.keyring}: keep a copy in a safe place, and out of git", err=True)
    return made.public()


def _with_settings(
    imported: Imported, settings: LightSettings, keyring: Path | None, public_keys: Path | None
) -> dict[str, Output]:
    """The sections, with what is needed to open what was sealed unless it is the default."""
    default = LightSettings()
    ours: dict[str, Output] = {}
    if imported.sealed and (keyring or settings.keyring) != default.keyring:
        ours["keyring"] = str(keyring or settings.keyring)
    if imported.sealed and settings.environment != default.environment:
        ours["environment"] = settings.environment
    if imported.sealed and (public_keys or settings.public_keys) is not None:
        ours["public_keys"] = str(public_keys or settings.public_keys)
    return {**({"secrets": ours} if ours else {}), **imported.sections}


def _heading(file: Path, imported: Imported) -> str:
    lines = [f"Made from {file.name} by `alertbridge import alertmanager`."]
    lines += [f"To be set: {wanted.variable}, for {wanted.to}" for wanted in imported.wanted]
    return "\n".join(line if line.isprintable() else ascii(line) for line in lines)


def _problems(text: str, output: Path) -> tuple[str, ...]:
    """The errors that `check` would find."""
    shown = "standard output" if output == _STANDARD_OUTPUT else str(output)
    with TemporaryDirectory() as folder:
        file = Path(folder, "main.yml")
        file.write_text(text, encoding="utf-8")
        loaded = load(file, ChannelRegistry.load(), HookRegistry.load())
        return tuple(str(replace(error, file=shown)).replace(str(file), shown) for error in loaded.errors)


def _save(text: str, output: Path) -> None:
    if output == _STANDARD_OUTPUT:
        typer.echo(text, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(output, text.encode(), mode=None if output.exists() else 0o644)
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from error


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(report), indent=2), err=report.output is None)
        return
    for line in report.lines():
        typer.echo(line, err=True)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
