"""What the converters of the integrations share: the original's `global` section, its templates, where secrets go."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from bridge.domain.duration import parse_duration
from bridge.importing.credentials import Credentials
from bridge.importing.gotemplate.translate import Translator, Untranslatable
from bridge.importing.ledger import Place
from bridge.importing.output import Output
from bridge.secrets.references import Form, form_of

Options = dict[str, Output]
_SHOWN = 200


class Wish(Struct, frozen=True):
    """A setting of outgoing calls that our configuration has once for all channels."""

    channel: str
    setting: str
    value: str
    place: Place


class Conversion:
    """One run. `wishes` are what the channels ask of the `http:` section, `callers` the channels that make HTTP calls."""

    def __init__(self, root: Place, credentials: Credentials, translator: Translator) -> None:
        self.globals = root.get("global")
        self.credentials = credentials
        self.wishes: list[Wish] = []
        self.callers: list[str] = []
        self._translator = translator

    def inherited(self, config: Place, key: str, general: str) -> Place | None:
        """What the integration says under the key, else what `global` says; an empty text says nothing."""
        return given(config, key) or (given(self.globals, general) if self.globals is not None else None)

    def template(self, place: Place | None, channel: str, option: str, text: str | None = None) -> Options:
        """The option with the Jinja template for a Go template; nothing where the built-in words are as good or must do.

        `text` is the template if it is not quite what stands there.
        """
        if place is None:
            return {}
        try:
            jinja = self._translator.translate(place.text() if text is None else text)
        except Untranslatable as error:
            place.left(
                f"this Go template has no simple Jinja counterpart ({error}): {shown(place.text())}",
                f"the built-in {option} is used",
            )
            return {}
        if jinja.strip() in {"", f"{{{{ default_{option} }}}}"}:
            place.noted(f"the default; the built-in {option} takes its place")
            return {}
        place.mapped(f"channels.{channel}.{option}", "as a Jinja template" if jinja != place.text() else "")
        return {option: jinja}

    def leave(
        self, config: Place, reasons: Mapping[str, str], remainder: Callable[[str], str] = lambda text: text
    ) -> None:
        """List keys that have no counterpart, each with what happens instead; defaults need none.

        `remainder` gives of a text what has not found its counterpart elsewhere.
        """
        for key, value in config.pairs():
            if key not in reasons or value.is_null or value.is_read:
                continue
            if value.is_scalar and self._translator.is_default(remainder(value.text())):
                value.noted("it is the default")
            else:
                value.left(f"there is no counterpart of {key}", reasons[key])


def unused(config: Place, *keys: str) -> None:
    """Of ways that exclude each other, those that are not taken: there as here they say nothing."""
    for key in keys:
        place = config.get(key)
        if place is not None and not place.is_read:
            place.noted("another setting says how, so this one has no effect")


def given(config: Place, key: str) -> Place | None:
    """What stands under the key; None where that is nothing or an empty text."""
    found = config.get(key)
    if found is None or (found.is_scalar and not found.text()):
        return None
    return found


def plain(place: Place | None, channel: str, option: str) -> Options:
    """An option that is copied as it is."""
    text = plain_text(place, f"channels.{channel}.{option}")
    return {} if text is None else {option: text}


def plain_text(place: Place | None, to: str) -> str | None:
    """A text that is copied as it is; one that our configuration would take for a reference is left out."""
    if place is None:
        return None
    if form_of(place.text()) is not Form.PLAIN:
        place.left(f"{place.text().partition(':')[0]}: at the beginning would make it a reference", "it is not set")
        return None
    place.mapped(to)
    return place.text()


def send_resolved(config: Place, channel: str, *, default: bool) -> Options:
    """The option where it differs from ours, which is true."""
    place = config.get("send_resolved")
    wanted = default if place is None else place.flag()
    if place is not None:
        place.mapped(f"channels.{channel}.send_resolved")
    return {} if wanted else {"send_resolved": False}


def timeout(config: Place, channel: str) -> Options:
    """The time one attempt may take; none given, or 0, leaves ours."""
    place = given(config, "timeout")
    if place is None:
        return {}
    try:
        if not parse_duration(place.text()):
            place.noted("no limit of its own; each attempt has the channel's default")
            return {}
    except ValueError:
        place.left(f"{place.text()!r} is not a duration here", "each attempt has the channel's default")
        return {}
    place.mapped(f"channels.{channel}.timeout")
    return {"timeout": place.text()}


def templated(place: Place) -> bool:
    """Whether a value that is fixed here would be made from the alerts there."""
    return "{{" in place.text()


def shown(text: str) -> str:
    """A text of the original on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
