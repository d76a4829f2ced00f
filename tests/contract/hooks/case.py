"""What the contract suite must know of a hook. Each module in `cases/` has one `CASE`.

A new hook joins the suite by adding `cases/<name>.py`; nothing else in the suite changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulators.server import Simulator


@dataclass(frozen=True)
class Case:
    """One hook in one configuration. `options` gets the URL of a service that answers everything with `answer`.

    `does_io` is what the hook must declare for these options. `refused` are options that must not validate.
    """

    name: str
    options: Callable[[str], Mapping[str, Any]]
    does_io: bool = False
    refused: tuple[object, ...] = ()
    answer: bytes = b"{}"

    def service(self) -> Simulator:
        simulator = Simulator()
        simulator.always(200, self.answer)
        return simulator
