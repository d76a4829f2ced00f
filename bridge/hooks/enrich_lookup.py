"""A table in a file, for `enrich`: the rows of a CSV or YAML file by the value of one label.

CSV has a header row; the key is the column named like the label. YAML is a mapping from key to a mapping of columns;
every scalar is text. The file may be edited while the bridge runs: it is looked at every few seconds, while alerts
come, by a short-lived thread, so that judging never waits for the disk. A file that has become bad changes nothing.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic

import structlog
import yaml
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.domain.errors import ConfigError
from bridge.hooks.enrich_names import label_name

_MAX_BYTES = 16 * 1024 * 1024
_LOG = structlog.get_logger("alertbridge.hooks.enrich")
_Row = Mapping[str, str]


class LookupOptions(BaseModel):
    """`lookup: {file: owners.csv, by: service, labels: [team], annotations: [contact]}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path = Field(description="a .csv, .yml or .yaml file")
    by: str = Field(min_length=1, description="the label to look up; in CSV also the key's column")
    labels: tuple[str, ...] = Field(default=(), description="columns that become labels")
    annotations: tuple[str, ...] = Field(default=(), description="columns that become annotations")

    @field_validator("file")
    @classmethod
    def _known_form(cls, file: Path) -> Path:
        if file.suffix not in {".csv", ".yml", ".yaml"}:
            raise ValueError("a lookup file is named .csv, .yml or .yaml")
        return file

    @field_validator("labels", "annotations")
    @classmethod
    def _names(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(label_name(column) for column in columns)

    @model_validator(mode="after")
    def _something(self) -> LookupOptions:
        if not self.labels and not self.annotations:
            raise ValueError("a lookup names columns under `labels` or `annotations`")
        return self


class Found(Struct, frozen=True):
    """What a lookup adds to one alert; empty values are left out."""

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


NOTHING = Found()


class Table:
    """The file's last good content."""

    def __init__(self, options: LookupOptions, *, look_every: float = 5.0) -> None:
        """Reads the file. `look_every` is in seconds.

        Raises:
            ConfigError: it cannot be read, is malformed, or lacks a column.
        """
        self._options = options
        self._look_every = look_every
        self._look_at = monotonic() + look_every
        self._signature = _signature(options.file)
        self._found = _read(options)

    def find(self, labels: Mapping[str, str]) -> Found:
        """What the row of this alert's key adds; nothing if it has no such label or the table no such row."""
        if monotonic() >= self._look_at:
            self._look_at = monotonic() + self._look_every
            threading.Thread(target=self.refresh, name="lookup", daemon=True).start()
        return self._found.get(labels.get(self._options.by, ""), NOTHING)

    def refresh(self) -> None:
        """Reads the file again if it has changed. A bad one is logged, and the last good content stays."""
        try:
            signature = _signature(self._options.file)
            if signature == self._signature:
                return
            self._signature = signature
            self._found = _read(self._options)
        except ConfigError as error:
            _LOG.warning("lookup file not taken over, the last good one stays", problem=str(error))


def _signature(file: Path) -> tuple[int, int, int]:
    try:
        stat = file.stat()
    except OSError as error:
        raise ConfigError(f"lookup file {file}: cannot be read: {error.strerror}") from error
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _read(options: LookupOptions) -> Mapping[str, Found]:
    file = options.file
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"lookup file {file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"lookup file {file}: is not UTF-8 (byte {error.start})") from error
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"lookup file {file}: is larger than {_MAX_BYTES // 1024 // 1024} MiB")
    rows = _csv_rows(text, options) if file.suffix == ".csv" else _yaml_rows(text, options)
    return {key: _found(row, options) for key, row in _unique(rows, file).items()}


def _unique(rows: Iterator[tuple[int, str, _Row]], file: Path) -> dict[str, _Row]:
    """The rows by key. An empty key is nobody's: it would catch every alert that lacks the label."""
    kept: dict[str, _Row] = {}
    lines: dict[str, int] = {}
    for line, key, row in rows:
        if key in kept:
            raise ConfigError(f"lookup file {file}:{line}: the key {key!r} stands already in line {lines[key]}")
        if key:
            kept[key] = row
            lines[key] = line
    return kept


def _found(row: _Row, options: LookupOptions) -> Found:
    return Found(
        {column: row[column] for column in options.labels if row.get(column)},
        {column: row[column] for column in options.annotations if row.get(column)},
    )


def _csv_rows(text: str, options: LookupOptions) -> Iterator[tuple[int, str, _Row]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_columns({options.by, *options.labels, *options.annotations}, set(header), options.file)
        for cells in reader:
            if len(cells) > len(header):
                raise ConfigError(f"lookup file {options.file}:{reader.line_num}: has more cells than the header")
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
            yield reader.line_num, row.get(options.by, ""), row
    except csv.Error as error:
        raise ConfigError(f"lookup file {options.file}:{reader.line_num}: {error}") from error


def _yaml_rows(text: str, options: LookupOptions) -> Iterator[tuple[int, str, _Row]]:
    file = options.file
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"lookup file {file}{where}: is no YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"lookup file {file}: must be a mapping from key to {{column: value}}")
    rows = [(key.start_mark.line + 1, *_yaml_row(key, value, file)) for key, value in root.value]
    _check_columns({*options.labels, *options.annotations}, {name for _, _, row in rows for name in row}, file)
    yield from rows


def _yaml_row(key: yaml.Node, value: yaml.Node, file: Path) -> tuple[str, _Row]:
    if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.MappingNode):
        cells = {name.value: cell.value for name, cell in value.value}
        if all(isinstance(text, str) for pair in cells.items() for text in pair):
            return key.value, {name: cell.strip() for name, cell in cells.items()}
    raise ConfigError(f"lookup file {file}:{key.start_mark.line + 1}: a row is written `key: {{column: value}}`")


def _check_columns(wanted: set[str], there: set[str], file: Path) -> None:
    missing = sorted(wanted - there)
    if missing:
        raise ConfigError(
            f"lookup file {file}: has no column {', '.join(missing)}; there are {', '.join(sorted(there)) or 'none'}"
        )
