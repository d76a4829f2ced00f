"""Directories: files are merged, and a bad one is refused alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import Refused
from bridge.config.problems import StandsIn
from tests.unit.config.written import SMALLEST, load_files, load_path, said, valid, write

PAYMENTS = """
channels:
  pay: {type: console}
receivers:
  payments: [pay, out]
routes:
  - {matchers: [team=payments], receiver: payments}
"""
SHOP = """
routes:
  - {matchers: [team=shop], receiver: out}
"""


def refused(path: Path, *files: tuple[str, StandsIn]) -> tuple[Refused, ...]:
    return tuple(Refused(str(path / name), stands_in) for name, stands_in in files)


def test_team_routes_follow_the_main_files_in_order_of_file_name(tmp_path: Path) -> None:
    main = "channels: {out: {type: console}}\nroute:\n  receiver: out\n  routes: [{matchers: [a=b], name: own}]"
    files = {"zz.yml": SHOP, "main.yml": main, "pay.yaml": PAYMENTS}
    config = valid(load_files(tmp_path, files, last_good={"zz.yml": SHOP}))

    assert [route.where.rpartition("/")[2] for route in config.route.routes] == [
        "main.yml:4:12",
        "pay.yaml:7:5",
        "zz.yml:3:5",
    ]
    assert config.channels_of("payments") == ("pay", "out")


def test_team_routes_inherit_from_the_root(tmp_path: Path) -> None:
    main = "channels: {out: {type: console}}\nroute: {receiver: out, group_by: [job], hooks: []}"
    config = valid(load_files(tmp_path, {"main.yml": main, "shop.yml": SHOP}))

    assert config.route.routes[0].group_by == ("job",)
    assert config.route.routes[0].hooks == ()


def test_only_yaml_files_of_the_directory_itself_are_read(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "dir.yml").mkdir()
    write(tmp_path / "examples", {"x.yml": "nonsense: 1"})
    files = {"main.yml": SMALLEST, ".hidden.yml": "nonsense: 1", "README.md": "# x", "x.json": "{"}

    loaded = load_files(tmp_path, files)
    valid(loaded)
    assert list(loaded.texts) == ["main.yml"]


def test_a_configmaps_links_are_followed_and_its_dot_names_passed_over(tmp_path: Path) -> None:
    (tmp_path / "..2026_01_01").mkdir()
    write(tmp_path / "..2026_01_01", {"main.yml": SMALLEST})
    (tmp_path / "..data").symlink_to("..2026_01_01")
    (tmp_path / "main.yml").symlink_to("..data/main.yml")

    assert list(load_path(tmp_path).texts) == ["main.yml"]


def test_sections_may_be_spread_over_files(tmp_path: Path) -> None:
    files = {
        "main.yml": SMALLEST,
        "server.yml": "server: {listen: 127.0.0.1:1}\nlog: {level: debug}",
        "more.yml": "server: {max_body: 1MiB}",
    }
    config = valid(load_files(tmp_path, files))

    assert config.server.listen.port == 1
    assert config.server.max_body == 2**20
    assert config.log.level == "debug"


def test_a_key_given_in_two_files_names_both_places(tmp_path: Path) -> None:
    files = {
        "a.yml": "server: {listen: 127.0.0.1:1}\nfallback: out",
        "b.yml": "server: {listen: 127.0.0.1:2}\nfallback: out",
        "main.yml": SMALLEST,
    }
    assert said(load_files(tmp_path, files)) == [
        "b.yml:1:10: server.listen is given twice; first at a.yml:1:10",
        "b.yml:2:1: fallback is given twice; first at a.yml:2:11",
    ]


def test_a_name_defined_twice_names_both_places_and_the_main_file_wins(tmp_path: Path) -> None:
    loaded = load_files(tmp_path, {"a.yml": "channels:\n  out: {type: console}", "main.yml": SMALLEST})

    assert said(loaded) == ["a.yml:2:3: channels: 'out' is defined twice; first at main.yml:3:3"]
    assert loaded.refused == refused(tmp_path, ("a.yml", "nothing"))
    assert loaded.config is not None


def test_of_two_teams_that_define_a_name_the_one_that_changed_is_refused(tmp_path: Path) -> None:
    old = "channels: {x: {type: console}}"
    loaded = load_files(tmp_path, {"a.yml": old, "b.yml": old, "main.yml": SMALLEST}, last_good={"b.yml": old})

    assert loaded.refused == refused(tmp_path, ("a.yml", "nothing"))


@pytest.mark.parametrize(
    "text",
    [
        "channels: {pay: {type: nonsense}}",
        "channels: [",
        "channels: {pay: {type: console}}\nchannels: {}",
        "nonsense: 1",
        "receivers: {payments: [absent]}",
        "routes: [{matchers: [a=b], receiver: absent}]",
        "routes: [{matchers: [a=b], hooks: [escalate: absent]}]",
        "routes: [{matchers: [a=b], mute_time_intervals: [absent]}]",
        "routes: [{receiver: out}]",
        "escalations: {x: [{after: 1m, notify: [absent]}]}",
        "sources: {'a/b': {}}",
    ],
)
def test_a_bad_team_file_is_refused_alone(tmp_path: Path, text: str) -> None:
    loaded = load_files(tmp_path, {"main.yml": SMALLEST, "bad.yml": text, "shop.yml": SHOP})

    assert loaded.config is not None
    assert loaded.refused == refused(tmp_path, ("bad.yml", "nothing"))
    assert [route.where.rpartition("/")[2] for route in loaded.config.route.routes] == ["shop.yml:3:5"]
    assert {(found.file, found.stands_in) for found in loaded.errors} == {(str(tmp_path / "bad.yml"), "nothing")}
    assert set(loaded.texts) == {"main.yml", "shop.yml"}


def test_the_last_good_text_stands_in_for_a_bad_one(tmp_path: Path) -> None:
    good = load_files(tmp_path, {"main.yml": SMALLEST, "pay.yml": PAYMENTS})
    loaded = load_files(tmp_path, {"pay.yml": PAYMENTS + "  - {receiver: out}"}, last_good=good.texts)

    assert loaded.config is not None
    assert loaded.config.channels_of("payments") == ("pay", "out")
    assert loaded.refused == refused(tmp_path, ("pay.yml", "last_good"))
    assert loaded.texts == good.texts
    assert loaded.config.digest == valid(good).digest
    assert [(found.line, found.stands_in) for found in loaded.errors] == [(8, "last_good")]


def test_a_last_good_text_that_no_longer_validates_does_not_stand_in(tmp_path: Path) -> None:
    last_good = {"pay.yml": "receivers: {payments: [gone]}"}
    loaded = load_files(tmp_path, {"main.yml": SMALLEST, "pay.yml": "channels: ["}, last_good=last_good)

    assert loaded.config is not None
    assert loaded.refused == refused(tmp_path, ("pay.yml", "nothing"))
    assert {found.file for found in loaded.problems} == {str(tmp_path / "pay.yml")}


def test_a_deleted_files_last_good_text_does_not_come_back(tmp_path: Path) -> None:
    config = valid(load_files(tmp_path, {"main.yml": SMALLEST}, last_good={"pay.yml": PAYMENTS}))

    assert set(config.channels) == {"out"}


def test_a_bad_main_file_gives_no_configuration_and_no_last_good_stands_in(tmp_path: Path) -> None:
    bad = SMALLEST + "nonsense: 1"
    loaded = load_files(tmp_path, {"main.yml": bad, "pay.yml": PAYMENTS}, last_good={"main.yml": SMALLEST})

    assert loaded.config is None
    assert loaded.texts == {}
    assert said(loaded) == ["main.yml:5:1: unknown section 'nonsense'"]
    assert loaded.errors[0].stands_in == ""


@pytest.mark.parametrize(
    "text",
    [
        "access: {anonymous: [everybody]}",
        "egress: {deny: [privat]}",
        "storage: {url: 'mysql://u@h/d'}",
        "server: {listen: 0.0.0.0:1}\nserver: {}",
        "access:\n  tokens: [",
    ],
)
def test_a_bad_file_with_a_section_of_the_whole_bridge_stops_it_too(tmp_path: Path, text: str) -> None:
    loaded = load_files(tmp_path, {"main.yml": SMALLEST, "more.yml": text})

    assert loaded.config is None
    assert loaded.errors


def test_a_main_file_that_does_not_parse_gives_no_errors_about_what_is_in_it(tmp_path: Path) -> None:
    loaded = load_files(tmp_path, {"main.yml": SMALLEST + "}", "pay.yml": PAYMENTS, "bad.yml": "x: ["})

    assert loaded.config is None
    assert [found.file.rpartition("/")[2] for found in loaded.errors] == ["bad.yml", "main.yml"]


def test_an_edit_that_takes_away_what_an_unchanged_file_uses_is_refused_itself(tmp_path: Path) -> None:
    shop = "routes: [{matchers: [team=shop], receiver: payments}]"
    good = load_files(tmp_path, {"main.yml": SMALLEST, "pay.yml": PAYMENTS, "shop.yml": shop})
    loaded = load_files(tmp_path, {"pay.yml": PAYMENTS.replace("payments", "paid")}, last_good=good.texts)

    assert loaded.refused == refused(tmp_path, ("pay.yml", "last_good"))
    assert said(loaded) == ["pay.yml:1:1: it no longer defines the receiver 'payments', which shop.yml:1 uses"]
    assert loaded.config is not None
    assert len(loaded.config.route.routes) == 2


def test_a_teams_edit_cannot_stop_the_main_file(tmp_path: Path) -> None:
    main = SMALLEST.replace("{receiver: out}", "{receiver: payments}")
    good = load_files(tmp_path, {"main.yml": main, "pay.yml": PAYMENTS})
    loaded = load_files(tmp_path, {"pay.yml": SHOP}, last_good=good.texts)

    assert loaded.config is not None
    assert loaded.refused == refused(tmp_path, ("pay.yml", "last_good"))


def test_a_name_of_a_refused_file_says_so_where_it_is_used(tmp_path: Path) -> None:
    bad = PAYMENTS + "  - {receiver: out}"
    main = SMALLEST.replace("{receiver: out}", "{receiver: payments}")
    loaded = load_files(tmp_path, {"main.yml": main, "pay.yml": bad})

    assert loaded.config is None
    assert said(loaded)[0] == ("main.yml:4:19: the receiver 'payments' is defined in pay.yml, which is refused")


def test_a_refusal_may_pull_others_along_but_never_the_rest(tmp_path: Path) -> None:
    files = {
        "main.yml": SMALLEST,
        "a.yml": "channels: {a: {type: console}, x: {type: nonsense}}",
        "b.yml": "receivers: {b: [a]}",
        "c.yml": "routes: [{matchers: [team=c], receiver: b}]",
        "d.yml": SHOP,
    }
    loaded = load_files(tmp_path, files)

    assert loaded.config is not None
    assert loaded.refused == refused(tmp_path, ("a.yml", "nothing"), ("b.yml", "nothing"), ("c.yml", "nothing"))
    assert set(loaded.texts) == {"main.yml", "d.yml"}


def test_without_a_main_file_there_is_no_configuration(tmp_path: Path) -> None:
    loaded = load_files(tmp_path, {"shop.yml": "channels: {a: {type: console}}"})

    assert loaded.config is None
    assert [str(found) for found in loaded.errors] == [
        f"{tmp_path}:1:1: no file has a `route:` section: there is no main configuration"
    ]


def test_two_main_files_are_an_error_at_the_second(tmp_path: Path) -> None:
    loaded = load_files(tmp_path, {"a.yml": SMALLEST, "b.yml": "route: {receiver: out}"})

    assert loaded.config is None
    assert said(loaded) == ["b.yml:1:1: a second `route:`; the first is at a.yml:4:1"]


def test_a_file_that_cannot_be_read_is_refused_alone(tmp_path: Path) -> None:
    (tmp_path / "gone.yml").symlink_to(tmp_path / "nowhere")
    loaded = load_files(tmp_path, {"main.yml": SMALLEST}, last_good={"gone.yml": PAYMENTS})

    assert said(loaded) == ["gone.yml:1:1: the file cannot be read: No such file or directory"]
    assert loaded.refused == refused(tmp_path, ("gone.yml", "last_good"))
    assert loaded.config is not None
    assert "pay" in loaded.config.channels


def test_two_routes_of_one_name_are_an_error_of_the_later_file(tmp_path: Path) -> None:
    named = "routes: [{matchers: [a=b], receiver: out, name: same}]"
    loaded = load_files(tmp_path, {"main.yml": SMALLEST, "a.yml": named, "b.yml": named})

    assert loaded.refused == refused(tmp_path, ("b.yml", "nothing"))
