"""The table of many runs: a line each, kept in a file so that they can be gone on with, and what they come to."""

from pathlib import Path
from statistics import median

from tests.chaos.plans import Plan
from tests.chaos.running import COLUMNS, HEAD, Report

BROKEN = ("lost", "doubled", "orphans", "strays")


class Table:
    """Lines by seed, database and storage; the last of each counts. Without a file, those of this process."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        lines = file.read_text().splitlines() if file and file.exists() else []
        self.lines = [cells for line in lines if (cells := cells_of(line)).get("seed", "").isdecimal()]
        if file and not lines:
            file.write_text(HEAD + "\n")

    def has(self, plan: Plan) -> bool:
        """Whether there is a line of a run of this plan that has kept every promise."""
        name = (str(plan.seed), plan.database, plan.storage)
        return any(name_of(line) == name and all(line[kind] == "0" for kind in BROKEN) for line in self.lines)

    def add(self, report: Report) -> None:
        self.lines.append(cells_of(report.line()))
        if self.file:
            with self.file.open("a") as file:
                file.write(report.line() + "\n")

    def medians(self) -> str:
        last = {name_of(line): line for line in self.lines}.values()
        if not last:
            return "no runs"
        settled, idle = (median(float(line[name]) for line in last) for name in ("settled s", "idle s"))
        return f"median of {len(last)} runs: settled after {settled:.1f} s, {idle:.1f} of them idle"


def cells_of(line: str) -> dict[str, str]:
    return dict(zip(COLUMNS, (cell.strip() for cell in line.strip("|").split("|")), strict=False))


def name_of(line: dict[str, str]) -> tuple[str, str, str]:
    return line["seed"], line["database"], line["storage"]
