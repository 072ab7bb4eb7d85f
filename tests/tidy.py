"""The house rules: each is a function from one source to what breaks it, with the remedy.

A finding reads `line: what; remedy`. The rules judge syntax trees only, so that they stay fast and
need nothing installed. `test_tidy.py` puts every module to them, and proves that each can fail.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FLOORS: Final = {
    "mm": 0,
    "mm.errors": 0,
    "mm.events": 0,
    "mm.log": 1,
    "mm.projections": 2,
    "mm.strategy": 3,
    "mm.engine": 3,
    "mm.sim": 4,
    "mm.gateways": 4,
    "mm.emulator": 4,
    "mm.analytics": 4,
    "mm.dashboard": 5,
    "mm.apps": 5,
}
PURE_FLOORS: Final = {0, 2, 3}
SIBLINGS_FLOOR: Final = 4
SIBLINGS: Final = {
    ("mm.gateways", "mm.sim"),  # The paper gateway trades on the simulated venue.
    ("mm.analytics", "mm.sim"),  # What a simulated run left, in the columns it left it in.
    ("mm.emulator", "mm.sim"),  # An emulator speaks a venue's protocol in front of it.
}
IMPURE_IMPORTS: Final = frozenset(
    [
        "asyncio",
        "ccxt",
        "duckdb",
        "nats",
        "os",
        "pathlib",
        "pyarrow",
        "random",
        "secrets",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "uuid",
    ]
)
IMPURE_CALLS: Final = frozenset({"open", "print", "input", "hash"})
CLOCK_READS: Final = frozenset({"now", "utcnow", "today"})
# Law 1: the turn is still logged, and trading halts. The pass names the strategy, and ends.
CATCHES_ALL: Final = {"mm.apps.own", "mm.engine.core", "mm.engine.own", "mm.sim.asking"}
CATCH_ALL: Final = frozenset({"Exception", "BaseException"})
UNFINISHED: Final = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
VAGUE_NAMES: Final = re.compile(r"^(?:utils?|helpers?|commons?|managers?)$")
LINES_TARGET: Final = 350
LINES_MAX: Final = 400
FUNCTION_LINES_MAX: Final = 60
COLUMNS_MAX: Final = 100
REGISTRY: Final = r"://[\w.:@-]+/(?:simple\b|packages/|[\w@%/.-]+/-/)"
"""An address as package indexes have them, whichever host it is: an index, or a file to load."""
TOPS: Final = ("root", "work", "farm", "home", "Users")
PLACES: Final = re.compile(rf"{REGISTRY}|(?<![\w.~-])/(?:{'|'.join(TOPS)})/".encode())


@dataclass(frozen=True)
class Source:
    """One module: its dotted name, its text, and the tree of it."""

    name: str
    text: str
    tree: ast.Module = field(repr=False)

    @classmethod
    def of(cls, name: str, text: str) -> "Source":
        """Parse `text` under `name`."""
        return cls(name, text, ast.parse(text))

    @classmethod
    def read(cls, path: Path, root: Path) -> "Source":
        """Parse the file at `path`; a package takes the name of its folder."""
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        return cls.of(name, path.read_text(encoding="utf-8"))


FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def group(module: str) -> str:
    """The part of the system that a module belongs to: `mm.events.units` is `mm.events`."""
    return ".".join(module.split(".")[:2])


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Line and module of every import, wherever it stands."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, name.name) for name in names)
            case ast.ImportFrom(module="mm", names=names, level=0):
                yield from ((node.lineno, f"mm.{name.name}") for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield node.lineno, module
            case ast.ImportFrom():
                yield node.lineno, f"{source.name}.{'.' * node.level}{node.module or ''}"


def floors(source: Source) -> Iterator[str]:
    """A module imports its own floor or below."""
    own = group(source.name)
    if own not in FLOORS:
        yield f"1: {own} has no floor; give it one in FLOORS, or move the module"
        return
    for line, module in imports(source):
        if module != "mm" and not module.startswith("mm."):
            continue
        other = group(module) if group(module) in FLOORS else "mm"
        if FLOORS[other] > FLOORS[own]:
            yield f"{line}: floor {FLOORS[own]} imports {module}, above it; move the code down"
        elif (
            FLOORS[other] == FLOORS[own] == SIBLINGS_FLOOR
            and other != own
            and (own, other) not in SIBLINGS
        ):
            yield f"{line}: {own} imports its sibling {module}; let mm.apps wire them"


def venues(source: Source) -> Iterator[str]:
    """Only gateways know ccxt."""
    if group(source.name) == "mm.gateways":
        return
    for line, module in imports(source):
        if module.split(".")[0] == "ccxt":
            yield f"{line}: imports ccxt outside mm.gateways; ask the gateway for what you need"


def pure(source: Source) -> Iterator[str]:
    """Floors 0, 2 and 3 have no IO, no clock, no randomness and no `await`."""
    if FLOORS.get(group(source.name)) not in PURE_FLOORS:
        return
    for line, module in imports(source):
        if module.split(".")[0] in IMPURE_IMPORTS or module.startswith("numpy.random"):
            yield f"{line}: a pure floor imports {module}; take what it gives as a fact"
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                remedy = "use a digest" if name == "hash" else "do the IO in mm.apps"
                yield f"{node.lineno}: a pure floor calls {name}(); {remedy}"
            case (
                ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=attr)
                | ast.Attribute(value=ast.Attribute(attr="datetime" | "date"), attr=attr)
            ) if attr in CLOCK_READS:
                yield f"{node.lineno}: a pure floor reads the clock; use the turn's `at`"
            case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="random"):
                yield f"{node.lineno}: a pure floor draws numbers; take a seed from the log"
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield f"{node.lineno}: a pure floor awaits; do that in the runner"


def _catches_all(node: ast.expr | None) -> bool:
    if node is None:
        return True
    return any(isinstance(part, ast.Name) and part.id in CATCH_ALL for part in ast.walk(node))


def catch_all(source: Source) -> Iterator[str]:
    """Nothing is caught that was not expected."""
    for node in ast.walk(source.tree):
        match node:
            case ast.ExceptHandler(type=caught) if _catches_all(caught):
                if source.name not in CATCHES_ALL:
                    yield f"{node.lineno}: catches every error; name the ones you expect"
            case ast.Call(
                func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=args
            ) if any(map(_catches_all, args)):
                yield f"{node.lineno}: suppresses every error; name the ones you expect"


def unfinished(source: Source) -> Iterator[str]:
    """Nothing is left for later."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if UNFINISHED.search(line):
            yield f"{number}: a note for later; do it now, or open an issue"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield f"{node.lineno}: NotImplementedError; use a Protocol, or write it"


def _compiled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = (ast.unparse(decorator).split("(")[0] for decorator in function.decorator_list)
    return any(name.split(".")[-1] in {"njit", "part", "jit", "vectorize"} for name in names)


def long_functions(source: Source) -> Iterator[str]:
    """A function fits on a page; a compiled loop may be longer."""
    for node in ast.walk(source.tree):
        if isinstance(node, FUNCTIONS) and not _compiled(node):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{node.lineno}: {node.name} has {lines} lines; split it by what it does"


def long_module(source: Source) -> Iterator[str]:
    """A reader can hold a module in mind."""
    lines = len(source.text.splitlines())
    if lines > LINES_MAX:
        yield f"{LINES_MAX}: {lines} lines; split the module by noun, at {LINES_TARGET} or before"


def long_lines(source: Source) -> Iterator[str]:
    """Two modules fit side by side."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if len(line) > COLUMNS_MAX:
            yield f"{number}: {len(line)} columns; break the line at {COLUMNS_MAX}"


def vague_name(source: Source) -> Iterator[str]:
    """A module is named after the noun that it holds."""
    for part in source.name.split("."):
        if VAGUE_NAMES.match(part):
            yield f"1: a module called {part}; name it after the noun that it holds"


def module_docstring(source: Source) -> Iterator[str]:
    """A module says what it is for."""
    if not ast.get_docstring(source.tree):
        yield "1: no docstring; open with the module's purpose and what always holds in it"


def says_what_it_shows(source: Source) -> Iterator[str]:
    """A test says in one line what it shows."""
    for node in ast.walk(source.tree):
        if isinstance(node, FUNCTIONS) and node.name.startswith("test_"):
            lines = (ast.get_docstring(node) or "").splitlines()
            if len(lines) != 1:
                yield f"{node.lineno}: {node.name} needs a docstring of one line: what it shows"


def places(content: bytes) -> Iterator[str]:
    """A tracked file names no package registry and no path of one machine."""
    for number, line in enumerate(content.split(b"\n"), 1):
        if found := PLACES.search(line):
            yield f"{number}: names {found[0].decode()}; say it without the place"
