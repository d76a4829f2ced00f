"""Loads a configuration: a file, or a directory whose files are merged.

A file that does not validate is refused alone. A team's file is judged with the others: if it is bad, its last good
text stands in, and if there is none the bridge runs without it. Only main files (the one with `route:`, and those with
sections of the whole bridge) refuse the configuration.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingType
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from bridge.config.assemble import Assembled, assemble
from bridge.config.candidates import Candidate
from bridge.config.documents import Document, find_files, read_document
from bridge.config.fields import SecretUse
from bridge.config.findings import Findings, Unknown
from bridge.config.model import Config
from bridge.config.problems import Mark, Problem, StandsIn, problem
from bridge.config.registries import ChannelCatalogue, HookCatalogue
from bridge.config.sections import Sections, merge


class Refused(Struct, frozen=True):
    """A team's file that was refused alone; `stands_in` says what is in force instead of its text."""

    file: str
    stands_in: StandsIn


class Loaded(Struct, frozen=True):
    """The outcome of loading.

    `config` is None if a main file is refused. `problems` are all findings, in the order of files and lines. `texts`
    are the texts in force by file name: what to hand in as `last_good` next time. `secrets` are the secret fields in
    force; `parked` are the places of references outside of them that could not be followed, so that a channel parks.
    The catalogues know the plugin files that the configuration names. `unreadable` says that the path itself
    could not be read, which tells nothing about the configuration.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    texts: MappingType[str, str]
    refused: tuple[Refused, ...]
    secrets: tuple[SecretUse, ...]
    parked: tuple[Mark, ...]
    channels: ChannelCatalogue
    hooks: HookCatalogue
    unreadable: bool = False

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(found for found in self.problems if found.severity == "error")


def load(
    path: Path,
    channels: ChannelCatalogue,
    hooks: HookCatalogue,
    last_good: MappingType[str, str] | None = None,
    environ: MappingType[str, str] | None = None,
) -> Loaded:
    """Load the configuration at `path`. Raises nothing: whatever is wrong is in `problems`."""
    try:
        documents = [read_document(file) for file in find_files(path)]
    except OSError as error:
        found = problem(Mark(str(path), 1, 1), f"the configuration cannot be read: {error.strerror}")
        return Loaded(None, (found,), {}, (), (), (), channels, hooks, unreadable=True)
    loading = _Loading(path, documents, last_good or {}, (channels, hooks), os.environ if environ is None else environ)
    return loading.run()


class _Loading:
    """Judges the files together, and again without those that were found bad, until what is left is good.

    Ends because every round but the last takes a team's file one step back: to its last good text, then out.
    """

    def __init__(
        self,
        path: Path,
        documents: Sequence[Document],
        last_good: MappingType[str, str],
        catalogues: tuple[ChannelCatalogue, HookCatalogue],
        environ: MappingType[str, str],
    ) -> None:
        self._path = path
        self._catalogues = catalogues
        self._environ = environ
        self._files = {document.label: Candidate.of(document, last_good) for document in documents}
        self._errors: dict[Problem, None] = {}  # of texts that were refused

    def run(self) -> Loaded:
        for candidate in self._files.values():
            if candidate.broken and not candidate.read.is_main:
                self._refuse(candidate, [found for found in candidate.read.problems if found.severity == "error"])
        while True:
            findings, assembled = self._judge()
            bad = self._blame(findings)
            if not bad:
                return self._loaded(findings, assembled)
            for label, errors in bad.items():
                self._refuse(self._files[label], errors)

    def _judge(self) -> tuple[Findings, Assembled | None]:
        findings = Findings()
        active = sorted((each for each in self._files.values() if each.active), key=lambda each: each.precedence)
        documents = [each.active for each in active if each.active is not None]
        for document in documents:
            findings.extend(document.problems)
        if any(document.root is None for document in documents):
            return findings, None  # a main file that does not parse: what others miss in it means nothing
        roots = [document.root for document in documents if document.root is not None]
        sections = merge(roots, findings)
        self._judge_main(sections, findings)
        by_name = sorted(documents, key=lambda document: document.key)
        routes = [document.root.get("routes") for document in by_name if document.root is not None]
        team_routes = tuple(node for node in routes if node is not None)
        return findings, assemble(sections, team_routes, self._catalogues, self._environ, _digest(documents), findings)

    def _judge_main(self, sections: Sections, findings: Findings) -> None:
        if not sections.routes:
            findings.error(
                Mark(str(self._path), 1, 1), "no file has a `route:` section: there is no main configuration"
            )
        for key, _ in sections.routes[1:]:
            findings.error(key.mark, f"a second `route:`; the first is at {sections.routes[0][0].mark}")

    def _blame(self, findings: Findings) -> dict[str, list[Problem]]:
        """The teams' files to refuse now, each with its errors."""
        bad: dict[str, list[Problem]] = {}
        excused = set()
        for unknown in findings.unknown:
            culprit = self._who_removed(unknown)
            if culprit is not None:
                excused.add(unknown.used)
                used = f"{unknown.used.file}:{unknown.used.line}"
                message = f"it no longer defines the {unknown.kind} {unknown.name!r}, which {used} uses"
                bad.setdefault(culprit.read.label, []).append(problem(culprit.read.start, message))
        for error in findings.errors:
            owner = self._owner(error)
            if owner is not None and not owner.read.is_main and error not in excused:
                bad.setdefault(owner.read.label, []).append(error)
        return bad

    def _who_removed(self, unknown: Unknown) -> Candidate | None:
        """The team's file whose edit took away a name that a file uses which did not change, or that is a main file."""
        user = self._owner(unknown.used)
        if user is None or not (user.read.is_main or user.unchanged):
            return None
        others = (each for each in self._files.values() if each is not user and each.can_step_back_to_text)
        return next((each for each in others if each.defined_before(unknown)), None)

    def _owner(self, found: Problem) -> Candidate | None:
        return next(
            (each for each in self._files.values() if each.active is not None and each.active.label == found.file), None
        )

    def _refuse(self, candidate: Candidate, errors: Sequence[Problem]) -> None:
        if candidate.active is candidate.read:
            self._errors.update(dict.fromkeys(errors))
        candidate.step_back()

    def _loaded(self, findings: Findings, assembled: Assembled | None) -> Loaded:
        refused = {each.read.label: each.stands_in for each in self._files.values() if each.stands_in}
        problems = [replace(found, stands_in=refused.get(found.file, "")) for found in self._errors]
        problems += self._explained(findings)
        problems.sort(key=lambda found: (found.file, found.line, found.column))
        config = assembled.config if assembled is not None else None
        active = [each.active for each in self._files.values() if each.active is not None]
        return Loaded(
            config=config,
            problems=tuple(dict.fromkeys(problems)),
            texts={document.key: document.text for document in active} if config is not None else {},
            refused=tuple(Refused(label, stands_in) for label, stands_in in refused.items()),
            secrets=assembled.secrets if assembled is not None else (),
            parked=assembled.parked if assembled is not None else (),
            channels=assembled.channels if assembled is not None else self._catalogues[0],
            hooks=assembled.hooks if assembled is not None else self._catalogues[1],
        )

    def _explained(self, findings: Findings) -> Iterator[Problem]:
        """The problems; a name that is missing because its file was refused says so."""
        unknown = {each.used: each for each in findings.unknown}
        gone = [each for each in self._files.values() if each.active is None]
        for found in findings.problems:
            missing = unknown.get(found)
            file = next((each.read.label for each in gone if missing is not None and each.defines(missing)), None)
            if missing is None or file is None:
                yield found
            else:
                what = f"the {missing.kind} {missing.name!r}"
                yield replace(found, message=f"{what} is defined in {file}, which is refused")


def _digest(documents: Sequence[Document]) -> str:
    digest = hashlib.sha256()
    for document in sorted(documents, key=lambda each: each.key):
        for part in (document.key.encode(), document.text.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
