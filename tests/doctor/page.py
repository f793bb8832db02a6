"""docs/doctor.md, for comparison."""

from tests.tools import ROOT

PAGE = (ROOT / "docs" / "doctor.md").read_text("utf-8")


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [cells for cells in found if not cells[0].startswith("---")]
