"""The pages people read, taken apart: fenced blocks, commands, tables, links.

A block marked `sh` is one that works as it stands, in order, in a fresh clone after `make demo`;
what needs files of your own, or shows what is printed, is marked `text`.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SHELL: Final = frozenset({"sh", "text", "console"})
ENDS: Final = frozenset({"|", "||", "&&", "&", ";", ">", ">>", "2>", "<"})
VARIABLE: Final = re.compile(r"([A-Z][A-Z_0-9]*)=(.*)", re.DOTALL)
_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block and the language it is marked with."""

    language: str
    text: str


class Call(NamedTuple):
    """A command line of ours: its variables, its words after `mm`, and whether it is one to run."""

    page: str
    variables: dict[str, str]
    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        """Where it stands, and what it is."""
        return f"{self.page}: mm {' '.join(self.words)}"


def name_of(page: Path) -> str:
    """The page's path inside the project."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of these languages, in order; all without a language."""
    found = [Block(*each) for each in _FENCE.findall(page.read_text(encoding="utf-8"))]
    return [block for block in found if not languages or block.language in languages]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def calls(page: Path) -> list[Call]:
    """Every `mm …` of a page, in fenced blocks and in running text."""
    found = []
    for block in blocks(page, *SHELL):
        for line in block.text.replace("\\\n", " ").splitlines():
            text = line.removeprefix("$ ")
            if re.match(r"(?:[A-Z][A-Z_0-9]*=\S+ )*mm( |$)", text):
                words = shlex.split(text, comments=True)
                found += list(_calls(page, words, whole=block.language != "text" or text != line))
    for code in _INLINE.findall(prose(page)):
        if re.match(r"mm( [a-z-]|$)", code):
            found += list(_calls(page, _words(code), whole=False))
    return found


def _words(code: str) -> list[str]:
    """Words of a mention, which may be cut off in the middle of a quotation."""
    try:
        return shlex.split(code)
    except ValueError:
        return code.split()


def _calls(page: Path, words: list[str], *, whole: bool) -> Iterator[Call]:
    """The calls of one line, which may hold several."""
    variables: dict[str, str] = {}
    own: list[str] | None = None
    for word in [*words, ";"]:
        if word in ENDS or word.endswith(";"):
            if own is not None:
                yield Call(name_of(page), variables, tuple(own), whole)
            variables, own = {}, None
        elif own is not None:
            own.append(word)
        elif word == "mm":
            own = []
        elif match := VARIABLE.fullmatch(word):
            variables[match[1]] = match[2]


def section(page: Path, title: str) -> str:
    """The text below a heading, up to the next heading of any level."""
    parts = re.split(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def table_rows(page: Path) -> list[list[str]]:
    """The cells of every table row of a page, headings and rules included."""
    lines = [line for line in prose(page).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def links(page: Path) -> list[str]:
    """The targets of a page's links that lead to files or headings of the project."""
    targets = _LINK.findall(prose(page))
    return [target for target in targets if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    titles = _HEADING.findall(prose(page))
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}
