from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from bridge.domain.errors import ConfigError
from bridge.hooks.api import Pass, Transition
from bridge.hooks.chain import Chain
from bridge.hooks.enrich import Enrich
from bridge.hooks.enrich_lookup import NOTHING, Found, LookupOptions, Table
from tests.contract.hooks.notifications import alert, make, notification, without_suspending

CSV = 'service,team,contact\ncart,shop,"Ann, Bob"\npay, payments ,pay@example.com\nnobody,,\n'
YAML = "cart: {team: shop, contact: 'Ann, Bob'}\npay: {team: payments, contact: pay@example.com}\nnobody: {team: ''}\n"


@pytest.fixture(params=[("owners.csv", CSV), ("owners.yml", YAML), ("owners.yaml", YAML)], ids=lambda case: case[0])
def file(request, tmp_path) -> Path:
    name, text = request.param
    (tmp_path / name).write_text(text)
    return tmp_path / name


def options(file: Path, **changed: object) -> LookupOptions:
    return LookupOptions.model_validate(
        {"file": str(file), "by": "service", "labels": ["team"], "annotations": ["contact"], **changed}
    )


def written(tmp_path: Path, text: str, name: str = "owners.csv") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_a_row_is_found_by_the_value_of_the_label(file) -> None:
    table = Table(options(file))
    assert table.find({"service": "cart"}) == Found({"team": "shop"}, {"contact": "Ann, Bob"})
    assert table.find({"service": "pay"}) == Found({"team": "payments"}, {"contact": "pay@example.com"})


@pytest.mark.parametrize("labels", [{}, {"service": ""}, {"service": "unknown"}, {"Service": "cart"}])
def test_an_alert_without_a_row_gets_nothing(file, labels) -> None:
    assert Table(options(file)).find(labels) is NOTHING


def test_an_empty_cell_adds_nothing(file) -> None:
    assert Table(options(file)).find({"service": "nobody"}) == NOTHING


def test_a_row_without_key_belongs_to_nobody(tmp_path) -> None:
    table = Table(options(written(tmp_path, "service,team,contact\n,shop,x\n")))
    assert table.find({"service": ""}) is NOTHING
    assert table.find({}) is NOTHING


def test_the_hook_adds_the_row_without_suspending(file) -> None:
    lookup = {"file": str(file), "by": "service", "labels": ["team"], "annotations": ["contact"]}
    hook = make(Enrich, {"lookup": lookup, "annotations": {"who": "{{ labels.team }}: {{ annotations.contact }}"}})
    subject = notification(Transition.OPENED, alert(service="cart"), alert(fingerprint="a2", service="unknown"))
    verdict = without_suspending(Chain([hook]).run(subject)).verdict
    assert isinstance(verdict, Pass)
    assert verdict.notification.labels == {"a1": {"team": "shop"}}
    assert verdict.notification.annotations["a1"] == {"contact": "Ann, Bob", "who": "shop: Ann, Bob"}


def test_yaml_scalars_are_text(tmp_path) -> None:
    file = written(tmp_path, "on: {team: 0123, contact: yes}\n1.0: {team: 2026-01-01}\n", "owners.yml")
    table = Table(options(file))
    assert table.find({"service": "on"}) == Found({"team": "0123"}, {"contact": "yes"})
    assert table.find({"service": "1.0"}) == Found({"team": "2026-01-01"}, {})


def test_a_csv_file_may_begin_with_a_byte_order_mark(tmp_path) -> None:
    (tmp_path / "owners.csv").write_bytes(b"\xef\xbb\xbf" + CSV.encode())
    assert Table(options(tmp_path / "owners.csv")).find({"service": "cart"}).labels == {"team": "shop"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "service,contact\ncart,x\n", "no column team; there are contact, service"),
        ("a.csv", "name,team,contact\n", "no column service"),
        ("a.csv", "", "there are none"),
        ("a.csv", "service,team,contact\na,b,c\na,b,c\n", r"a\.csv:3: the key 'a' stands already in line 2"),
        ("a.csv", "service,team,contact\na,b,c,d\n", r"a\.csv:2: has more cells"),
        ("a.csv", 'service,team,contact\n"a,b,c\n', r"a\.csv:2"),
        ("a.yml", "cart: {contact: x}\n", "no column team; there are contact"),
        ("a.yml", "[1, 2]\n", "must be a mapping"),
        ("a.yml", "", "must be a mapping"),
        ("a.yml", "cart: shop\n", r"a\.yml:1: a row is written"),
        ("a.yml", "\ncart: {team: [a, b], contact: x}\n", r"a\.yml:2: a row is written"),
        ("a.yml", "cart: {team: a, contact: b}\ncart: {team: a, contact: b}\n", r"a\.yml:2: the key 'cart'"),
        ("a.yml", "cart: {\n", r"a\.yml:2: is no YAML"),
        ("a.yml", "cart: &a {team: *a, contact: x}\n", "a row is written"),
        ("a.yml", "[" * 5000, "is no YAML"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path, name, text, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Table(options(written(tmp_path, text, name)))


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.csv: cannot be read: No such file"):
        Table(options(tmp_path / "gone.csv"))


def test_a_file_that_is_not_utf8_is_refused(tmp_path) -> None:
    (tmp_path / "owners.csv").write_bytes(b"service,team,contact\ncart,\xff,x\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        Table(options(tmp_path / "owners.csv"))


def changed(file: Path, text: str) -> None:
    """Writes the file so that its time differs even on a coarse clock."""
    before = file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=(before + 1_000_000_000, before + 1_000_000_000))


def test_a_changed_file_is_taken_over(tmp_path) -> None:
    file = written(tmp_path, CSV)
    table = Table(options(file))
    changed(file, CSV.replace("shop", "retail"))
    table.refresh()
    assert table.find({"service": "cart"}).labels == {"team": "retail"}


@pytest.mark.parametrize("text", ["service,contact\ncart,x\n", "", "\0"])
def test_the_last_good_content_outlives_a_bad_file(tmp_path, text) -> None:
    file = written(tmp_path, CSV)
    table = Table(options(file))
    changed(file, text)
    table.refresh()
    assert table.find({"service": "cart"}).labels == {"team": "shop"}
    changed(file, CSV.replace("shop", "retail"))
    table.refresh()
    assert table.find({"service": "cart"}).labels == {"team": "retail"}


def test_the_last_good_content_outlives_a_missing_file(tmp_path) -> None:
    file = written(tmp_path, CSV)
    table = Table(options(file))
    file.unlink()
    table.refresh()
    assert table.find({"service": "cart"}).labels == {"team": "shop"}


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path) -> None:
    file = written(tmp_path, CSV)
    table = Table(options(file))
    before = file.stat().st_mtime_ns
    file.write_text(CSV.replace("shop", "SHOP"))
    os.utime(file, ns=(before, before))
    table.refresh()
    assert table.find({"service": "cart"}).labels == {"team": "shop"}


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lookup"]


def test_a_changed_file_is_noticed_by_a_thread_while_alerts_come(tmp_path) -> None:
    file = written(tmp_path, CSV)
    table = Table(options(file), look_every=0)
    changed(file, CSV.replace("shop", "retail"))
    table.find({"service": "cart"})
    for thread in threads():
        thread.join()
    assert table.find({"service": "cart"}).labels == {"team": "retail"}
    for thread in threads():
        thread.join()


def test_no_thread_is_started_between_two_looks(tmp_path) -> None:
    table = Table(options(written(tmp_path, CSV)), look_every=3600)
    table.find({"service": "cart"})
    assert threads() == []


@pytest.mark.parametrize(
    "bad", [{"file": "owners.txt"}, {"labels": [], "annotations": []}, {"labels": ["not-a-label"]}, {"by": ""}]
)
def test_options_that_cannot_work_are_refused(bad) -> None:
    with pytest.raises(ValidationError):
        LookupOptions.model_validate({"file": "owners.csv", "by": "service", "labels": ["team"], **bad})
