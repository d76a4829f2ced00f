"""`make bench`: what the bridge costs, beside a real Alertmanager and a bare handler, in one run on one machine.

`python -m bench [--count N] [--only PART,PART] [--json FILE]`. Shares and ratios carry over to other machines, times do not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench import api, flat_out, idle, matching, past, steady
from bench.lines import Line, Part, show, write

PARTS: dict[str, Part] = {
    "matching": matching.matching,
    "flat": flat_out.flat_out,
    "accept": steady.accepts,
    "steady": steady.steady,
    "told": steady.told,
    "api": api.posts,
    "api-told": api.told,
    "past": past.on_sqlite,
    "restart": past.restart,
    "memory": past.memory,
    "idle": idle.idle,
    "replicas": flat_out.replicas,
    "past-postgres": past.on_a_server,
}
LONG = {"past-postgres"}
"""What only runs when it is asked for."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--count", type=int, default=5000, help="alerts in each measurement")
    parser.add_argument("--only", default="", help=f"parts, by commas: {', '.join(PARTS)}")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    wanted = [name for name in given.only.replace(" ", ",").split(",") if name] or [
        name for name in PARTS if name not in LONG
    ]
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    lines: list[Line] = []
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="alertbridge-bench") as name:
        for part in wanted:
            sys.stderr.write(f"{part} …\n")
            begun = time.monotonic()
            lines += PARTS[part](Path(name) / part, given.count)
            seconds[f"{part}_seconds"] = time.monotonic() - begun
    total = sum(seconds.values())
    show(
        lines, f"Alertbridge measured: {given.count} alerts a measurement, medians of 3 where in rounds; {total:.0f} s"
    )
    if given.json:
        write(given.json, lines, {"count": given.count, "seconds": total, **seconds})


if __name__ == "__main__":
    main()
