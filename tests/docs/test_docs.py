"""The pages say what is there: configs, keys, commands, options, variables, targets, links, events.

Their shell examples are run by `test_examples.py`, one of the storms.
"""

import importlib
import re
import tomllib
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin

import click
import msgspec
import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command

from docs import make_events
from mm.apps import config as configs
from mm.apps.checking import bounded
from mm.apps.cli.main import COMMANDS, UNREAD
from mm.apps.config import Config
from mm.apps.overrides import RESERVED
from mm.engine.settings import LIMIT_MOST, MOST, MOST_POSITIVE, encode_hook
from mm.errors import MmError
from mm.events.units import MILLIS, SECONDS
from tests.docs.pages import (
    PAGES,
    ROOT,
    Call,
    anchors,
    blocks,
    calls,
    links,
    name_of,
    section,
    table_rows,
)

CONFIG_PAGE: Final = ROOT / "docs" / "config.md"
COMMANDS_PAGE: Final = ROOT / "docs" / "commands.md"
FILES: Final = sorted((ROOT / "docs").glob("*.toml"))
NAMES: Final = {"strategies": "NAME", "limits": "INSTRUMENT"}
TAGS: Final = {"feed.kind", "strategies.NAME.kind"}
UNITS: Final = (("h", 3600 * SECONDS), ("s", SECONDS), ("ms", MILLIS))


def plain_example(language: str) -> dict[str, Any]:
    """The first config of that language on the page."""
    text = blocks(CONFIG_PAGE, language)[0].text
    if language == "yaml":
        return dict(yaml.safe_load(text))
    return tomllib.loads(text)


def built(plain: dict[str, Any], environment: dict[str, str] | None = None) -> Config:
    """A typed config; raises `ConfigError`."""
    return configs.build(plain, environment or {}, {}, where="docs")


def test_examples_on_the_config_page_are_one_config() -> None:
    """The page's TOML, its YAML and the file beside it are equal, and accepted."""
    file = configs.load(ROOT / "docs" / "example.toml", {}, {})
    assert built(plain_example("toml")) == file == built(plain_example("yaml"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_config_files_are_accepted(path: Path) -> None:
    """Every config that lies beside the pages can be loaded."""
    assert configs.load(path, {}, {}).strategies


class Key(msgspec.Struct, frozen=True):
    """One key of the config as the page should tell it."""

    name: str
    default: str
    span: str


def keys(kind: Any, prefix: str = "") -> Iterator[Key]:
    """Every key below a struct, dotted; what is named by people under its placeholder."""
    for field in msgspec.structs.fields(kind):
        name = f"{prefix}{field.encode_name}"
        inner = structs_in(field.type)
        named = f"{name}.{NAMES[name]}." if name in NAMES else f"{name}."
        for each in inner:
            yield from keys(each, named)
        if not inner:
            yield Key(name, default_of(field), span_of(kind.__name__, field.name))


def structs_in(annotation: Any) -> list[Any]:
    """The structs of a field: itself, those of a union, or the values of a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, dict):
        return [inner for each in get_args(annotation) for inner in structs_in(each)]
    return []


def default_of(field: msgspec.structs.FieldInfo) -> str:
    """The default as one would write it in the file."""
    if field.required:
        return "required"
    made = field.default is msgspec.NODEFAULT
    default = field.default_factory() if made else field.default
    plain = msgspec.to_builtins(default, enc_hook=encode_hook)
    if isinstance(plain, bool):
        return f"`{str(plain).lower()}`"
    if isinstance(plain, tuple):
        plain = list(plain)
    return "none" if plain in (None, "", {}) else f"`{plain}`"


def span_of(struct: str, field: str) -> str:
    """The bounds that the engine enforces, or nothing."""
    tables = {
        "SymmetricSettings": ((MOST_POSITIVE, "> 0"), (MOST, "≥ 0")),
        "LimitSettings": ((LIMIT_MOST, "> 0"),),
    }
    for bounds, least in tables.get(struct, ()):
        if field in bounds:
            timed = field in {"age_max", "book_age_max", "refresh"}
            return f"{least}, ≤ {worded(bounds[field], timed=timed)}"
    return ""


def worded(number: int, *, timed: bool) -> str:
    """A bound as a person writes it: a duration in its largest whole unit."""
    if not timed:
        return str(number)
    name, unit = next((each for each in UNITS if number and not number % each[1]), UNITS[1])
    return f"{number // unit}{name}"


KEYS: Final = {key.name: key for key in keys(Config)}


@cache
def told() -> dict[str, list[str]]:
    """The rows of the page's tables of keys, by key."""
    rows = [row for row in table_rows(CONFIG_PAGE) if len(row) == 4]
    return {row[0].strip("`"): row for row in rows if row[0].startswith("`")}


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_key_is_on_the_page(key: Key) -> None:
    """A key stands on the page with its default and its bounds, and has a meaning."""
    row = told().get(key.name)
    assert row, f"docs/config.md has no row for {key.name}"
    _, default, span, meaning = row
    assert default == key.default
    assert not key.span or span == key.span
    assert meaning.endswith(".")


def test_the_page_names_no_other_key() -> None:
    """A key that was removed leaves the page, too."""
    assert set(told()) - set(KEYS) == TAGS


CALLS: Final = [call for page in PAGES for call in calls(page)]


def test_bounds_of_the_rest_are_on_the_page() -> None:
    """The bounds that a config is held against stand in the rows of their keys."""
    for name, least, _, most in bounded(built(plain_example("toml"))):
        timed = name not in {
            "seed",
            "paper.open_orders_max",
            "venue.processes_max",
            "reference.jump_max_bps",
        }
        span = f"{worded(least, timed=timed)} to {worded(most, timed=timed)}"
        assert told()[name][2] == span, name


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_command_exists(call: Call) -> None:
    """A command named on a page is there, with the options named; one to run has all it needs."""
    command, context, words = resolved(call.words)
    if call.whole and not isinstance(command, click.Group):
        command.make_context("mm", list(words), parent=context)
    known = {option for parameter in command.params for option in parameter.opts}
    named = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert named <= known | {"-h", "--help"}, f"{call}: there is no {named - known}"


def resolved(words: tuple[str, ...]) -> tuple[click.Command, click.Context | None, tuple[str, ...]]:
    """The command that some words lead to, and the words left for it."""
    if not words or words[0] not in COMMANDS:
        assert not words or words[0].startswith("-"), f"there is no command mm {words[0]}"
        return get_command(importlib.import_module("mm.apps.cli.main").app), None, words
    command = get_command(importlib.import_module(COMMANDS[words[0]][0]).app)
    context = click.Context(command, info_name=words[0])
    rest = words[1:]
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        names = rest[0].split("|")
        assert set(names) <= set(command.commands), f"there is no mm {' '.join(words[:2])}"
        command, rest = command.commands[names[0]], rest[1:]
    return command, context, rest


def leaves(words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that is no group."""
    if not words:
        for name in COMMANDS:
            yield from leaves((name,))
        return
    command, _, _ = resolved(words)
    if isinstance(command, TyperGroup):
        for name in command.commands:
            yield from leaves((*words, name))
    else:
        yield words


@pytest.mark.parametrize("words", list(leaves()), ids=" ".join)
def test_every_command_is_explained(words: tuple[str, ...]) -> None:
    """A command has a section of its own, which names each of its options."""
    told = section(COMMANDS_PAGE, f"mm {' '.join(words)}")
    command, _, _ = resolved(words)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            assert words_in(told) & set(parameter.opts), f"{parameter.opts} is not explained"


def words_in(text: str) -> set[str]:
    """The options that a text names."""
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


def test_every_exit_code_is_explained() -> None:
    """The table of exit codes holds those of the errors, of success and of an unread pipe."""
    codes = {str(error.exit_code) for error in every_error(MmError)} | {"0", str(UNREAD)}
    rows = [row[0] for row in table_rows(COMMANDS_PAGE) if row[0].isdecimal()]
    assert sorted(rows) == sorted(codes)


def every_error(kind: type[MmError]) -> Iterator[type[MmError]]:
    """An error and all below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from every_error(below)


@pytest.mark.parametrize("call", [call for call in CALLS if call.variables], ids=str)
def test_variables_are_keys(call: Call) -> None:
    """A variable before a command sets a key that exists, to a value that it can have."""
    known = {name: text for name, text in call.variables.items() if name.startswith("MM_")}
    assert built(plain_example("toml"), known).strategies
    assert all(name in RESERVED or name.startswith(("MM_", "NATS_")) for name in call.variables)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    """A `make` on a page names a target."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)
    assert set(named) <= targets


LINKS: Final = [(page, target) for page in PAGES for target in links(page)]


@pytest.mark.parametrize(("page", "target"), LINKS, ids=lambda each: str(each).split("/")[-1])
def test_link_leads_somewhere(page: Path, target: str) -> None:
    """A link of a page leads to a file that is there, and to a heading it has."""
    path, _, anchor = target.partition("#")
    file = (page.parent / path) if path else page
    assert file.exists(), f"{name_of(page)} links to {target}"
    assert not anchor or anchor in anchors(file), f"{name_of(page)} links to {target}"


def test_the_page_of_events_is_made_from_the_structs() -> None:
    """`docs/events.md` is what `docs/make_events.py` writes."""
    stale = "run `.venv/bin/python docs/make_events.py`"
    assert make_events.PAGE.read_text(encoding="utf-8") == make_events.page(), stale
