"""Write the table of environment variables into the README, from the table the service reads.

`python -m docs.configuration` writes it; a test fails where it is out of date.
"""

from pathlib import Path

from mediaweb.environment import Environment

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- configuration: written by docs/configuration.py -->\n"
END = "<!-- /configuration -->"


def table() -> str:
    """One Markdown row a variable: name, default, what it is for."""
    rows = [
        f"| `{field.alias}` | {shown(field.default)} | {field.description} |"
        for field in Environment.model_fields.values()
    ]
    return "\n".join(["| variable | default | |", "|---|---|---|", *rows]) + "\n"


def shown(default: object) -> str:
    return "" if default in ("", None) else f"`{default}`"


def written(text: str) -> str:
    """The README's text with the table in its place."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
