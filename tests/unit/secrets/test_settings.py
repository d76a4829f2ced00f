from __future__ import annotations

from pathlib import Path

import pytest

from bridge.domain.errors import SecretError
from bridge.secrets.settings import LightSettings, light_settings

SECRETS = "secrets:\n  keyring: ring.json\n  environment: staging\n\n  # a remark\n  public_keys: public.keys\n"
EXPECTED = LightSettings(Path("ring.json"), "staging", Path("public.keys"), Path("data.db"))


def _read(tmp_path: Path, *texts: str, environ: dict[str, str] | None = None) -> LightSettings:
    paths = []
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.yml"
        path.write_text(text)
        paths.append(path)
    return light_settings(paths, environ or {})


@pytest.mark.parametrize(
    "text",
    [
        SECRETS + "storage: {url: 'sqlite:data.db'}\n",
        "storage: {\n  url: sqlite:data.db\n}\n" + SECRETS,
        SECRETS + "storage:\n  url: env:DATABASE\n",
        "channels: [broken\n" + SECRETS + "storage: {url: 'sqlite:data.db'}\nroute: }{\n",
        "\ttabs: nowhere\n" + SECRETS + "storage:\n- x\nstorage: {url: 'sqlite:data.db'}\n",
        "{secrets: {keyring: ring.json, environment: staging, public_keys: public.keys}, storage: {url: 'sqlite:data.db'}}",
    ],
)
def test_the_sections_are_found_whatever_else_is_wrong(tmp_path: Path, text: str) -> None:
    if text.startswith("\t"):
        text = text.replace("storage:\n- x\n", "")
    assert _read(tmp_path, text, environ={"DATABASE": "sqlite:data.db"}) == EXPECTED


def test_sections_may_stand_in_several_files(tmp_path: Path) -> None:
    assert _read(tmp_path, "channels: {}\n", SECRETS, "storage: {url: 'sqlite:data.db'}\n") == EXPECTED


def test_without_any_file_the_defaults_hold() -> None:
    assert light_settings([], {}) == LightSettings(Path("var/keyring.json"), "default", None, Path("var/bridge.db"))


def test_another_kind_of_database_is_no_file(tmp_path: Path) -> None:
    assert _read(tmp_path, "storage: {url: 'postgresql://user@host/bridge'}\n").database is None


def test_odd_values_are_passed_over(tmp_path: Path) -> None:
    assert _read(tmp_path, "secrets: [a]\nstorage: {url: {a: b}}\n") == LightSettings()


def test_a_reference_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"storage\.url: .*NOWHERE is not set"):
        _read(tmp_path, "storage: {url: 'env:NOWHERE'}\n")
