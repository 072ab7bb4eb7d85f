"""`mm log ls`, `stats`, `show`: what is there and what is on it, told from real stores."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from mm.apps import finding
from mm.apps.cli import output
from mm.apps.sessions import DeskFiles
from mm.apps.tally import Tally, percentile
from mm.events.base import MarketEvent
from mm.events.codec import encode_event
from mm.events.orders import OrderFilled
from mm.events.turn import records
from mm.events.units import SECONDS, Nanos
from mm.events.vocabulary import KINDS, tag_of
from mm.log.chain import START, advance, seal
from tests.apps.desks import ENDED, HALTED, REARMED, Cli, archive, desk, session, stored
from tests.strategies import example

if TYPE_CHECKING:
    from pathlib import Path

    from mm.events.turn import Record
    from mm.log.chain import Sealed

TURNS: Final = session(30, ENDED)
RECORDS: Final = [record for sealed in TURNS for record in records(sealed.turn)]
FILL: Final = next(each for each in RECORDS if isinstance(each.event, OrderFilled))
HALF: Final = len(TURNS) // 2


@pytest.fixture
def mm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, without the caller's environment."""
    for name in ("MM_DATA", "NATS_URL", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return Cli(capsys)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that no test changes: `whole` is archived, `half` only up to the middle."""
    root = tmp_path_factory.mktemp("data")
    desk(root / "whole", TURNS)
    desk(root / "half", TURNS, archived=HALF)
    asyncio.run(stored(root / "bare", TURNS))
    archive(root / "rec", market(TURNS), kind="recording")
    return root


def market(turns: list[Sealed]) -> list[Sealed]:
    """The first turns of a session, up to where its account was asked."""
    return turns[:1]


def kinds(records: list[Record]) -> Counter[str]:
    """How many there are of each kind."""
    return Counter(tag_of(type(record.event)) for record in records)


# -- ls ----------------------------------------------------------------------------------------


def test_ls_tells_how_each_was_left(mm: Cli, tmp_path: Path) -> None:
    """In order, halted, cut off, more on the log than archived, a recording, a damaged one."""
    asyncio.run(stored(tmp_path / "behind", TURNS[:-1]))
    archive(tmp_path / "behind" / "archive", TURNS[:HALF], name="behind")
    asyncio.run(stored(tmp_path / "bare", TURNS))
    archive(tmp_path / "cut" / "archive", TURNS[:-1], name="cut")
    archive(tmp_path / "ended" / "archive", TURNS, name="ended")
    archive(tmp_path / "halted" / "archive", session(3, HALTED, ENDED), name="halted")
    archive(tmp_path / "rearmed" / "archive", session(3, HALTED, REARMED, ENDED), name="rearmed")
    archive(tmp_path / "rec", market(TURNS), kind="recording")
    archive(tmp_path / "torn" / "archive", TURNS, name="torn")
    torn = tmp_path / "torn" / "archive" / "manifest.json"
    torn.write_bytes(torn.read_bytes()[:-100])
    found = {each["name"]: each for each in mm.json("log", "ls", "--data", tmp_path)}
    assert {name: each["state"] for name, each in found.items()} == {
        "bare": "cut off",
        "behind": "cut off",
        "cut": "cut off",
        "ended": "ended",
        "halted": "halted",
        "rearmed": "ended",
        "rec": "recording",
        "torn": "damaged",
    }
    assert "manifest" in found["torn"]["note"]
    assert found["behind"]["turns"] == len(TURNS) - 1
    assert found["behind"]["archived_turns"] == HALF
    assert found["bare"]["events"] == len(RECORDS)
    assert found["ended"]["first"] == TURNS[0].turn.at
    assert found["ended"]["last"] == TURNS[-1].turn.at
    assert found["ended"]["bytes"] == sum(
        file.stat().st_size for file in (tmp_path / "ended").rglob("*") if file.is_file()
    )


def test_ls_is_a_table_for_people(mm: Cli, data: Path) -> None:
    """One line each, times to the minute, and how much of it is archived."""
    lines = mm("log", "ls", "--data", data).splitlines()
    assert mm.code == 0
    words = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert words["whole"][:4] == ["ended", "2023-11-14", "22:13", "22:14"]
    assert words["whole"][4:6] == [str(len(TURNS)), str(len(RECORDS))]
    assert words["whole"][-1] == "all"
    assert words["half"][-1] == f"{HALF / len(TURNS):.1%}"
    assert words["bare"][-1] == "none"


def test_ls_breaks_no_time_in_two(mm: Cli, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns shows every time and number whole."""
    monkeypatch.setattr(output.out, "_force_terminal", True)
    monkeypatch.setattr(output.out, "_color_system", None)
    monkeypatch.setattr(output.out, "_width", 80)
    lines = mm("log", "ls", "--data", data).splitlines()
    assert max(map(len, lines)) <= 80, "\n".join(lines)
    assert sum("2023-11-14 22:1" in line for line in lines) == 4


def test_ls_of_nothing_says_what_to_do(mm: Cli, tmp_path: Path) -> None:
    """An empty or missing data directory is no error."""
    assert "mm demo" in mm("log", "ls", "--data", tmp_path / "none")
    assert mm.code == 0
    assert mm.json("log", "ls", "--data", tmp_path) == []


# -- stats -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["whole", "half", "bare"])
def test_stats_count_every_event(mm: Cli, data: Path, name: str) -> None:
    """Counts, bytes and shares are those of the turns, wherever the log is kept."""
    found = mm.json("log", "stats", name, "--data", data)
    assert (found["turns"], found["events"]) == (len(TURNS), len(RECORDS))
    assert found["bytes"] == sum(len(sealed.payload) for sealed in TURNS)
    assert {each["kind"]: each["events"] for each in found["kinds"]} == kinds(RECORDS)
    fills = next(each for each in found["kinds"] if each["kind"] == "order.filled")
    assert fills["symbol"] == "paper:BTCUSDT"
    same = [each.event for each in RECORDS if isinstance(each.event, OrderFilled)]
    assert fills["bytes"] == sum(len(encode_event(event)) for event in same)
    assert found["orders"]["turns"] == sum(bool(each.turn.previous_orders) for each in TURNS)
    assert found["market"]["turns"] + found["orders"]["turns"] == len(TURNS)
    seconds = (TURNS[-1].turn.at - TURNS[0].turn.at) / 1e9
    assert found["seconds"] == pytest.approx(seconds)
    assert found["events_per_second"] == pytest.approx(len(RECORDS) / seconds)


def test_stats_leave_out_the_pause_between_sessions() -> None:
    """A rate is that of the sessions, not of the night between them."""
    tally, head = Tally(), START
    began = example(KINDS["session.started"])
    for at, event in ((0, began), (10, None), (3_610, began), (3_620, None)):
        facts = [event or example(KINDS["timer"])]
        sealed = seal(head, Nanos((1_000 + at) * SECONDS), facts, [])
        head = advance(head, sealed)
        tally.take(sealed)
    found = tally.result("two")
    assert (found.sessions, found.seconds, found.events_per_second) == (2, 20.0, 0.2)
    assert found.last - found.first == 3_620 * SECONDS


def test_stats_give_exact_percentiles(mm: Cli, data: Path) -> None:
    """The sizes of turns are those of the sorted list."""
    found = mm.json("log", "stats", "whole", "--data", data)
    sizes = sorted(each.turn.size for each in TURNS)
    assert found["turn_events"]["max"] == sizes[-1]
    assert found["turn_events"]["p50"] == sizes[(len(sizes) + 1) // 2 - 1]
    assert found["turn_events"]["p99"] == sizes[-(-99 * len(sizes) // 100) - 1]
    assert found["turn_bytes"]["max"] == max(len(each.payload) for each in TURNS)
    few = Counter({7: 1, 3: 1, 5: 2})
    assert [percentile(few, share) for share in (0.25, 0.5, 0.75, 0.99)] == [3, 5, 5, 7]
    assert percentile(Counter(), 0.5) == 0


def test_stats_count_a_level_as_an_update(mm: Cli, data: Path) -> None:
    """A snapshot is one event and as many updates as it has levels."""
    found = mm.json("log", "stats", "whole", "--data", data)
    (book,) = [each for each in found["kinds"] if each["kind"] == "book.snapshot"]
    assert (book["events"], book["updates"]) == (1, 4)
    assert found["updates"] == len(RECORDS) + 3


def test_stats_for_people(mm: Cli, data: Path) -> None:
    """The table has a line for every kind, and the speed goes to stderr."""
    text = mm("log", "stats", "whole", "--data", data)
    assert all(kind in text for kind in kinds(RECORDS))
    assert "events/s" in mm.err
    assert f"{len(RECORDS)} events in {len(TURNS)} turns" in text


# -- show --------------------------------------------------------------------------------------


def numbers(found: list[dict[str, Any]]) -> list[int]:
    """The event numbers of what was shown."""
    return [each["number"] for each in found]


@pytest.mark.parametrize("name", ["whole", "half", "bare"])
def test_show_finds_the_place(mm: Cli, data: Path, name: str) -> None:
    """From an event, one turn, the end: the same events, wherever the log is kept."""
    everything = [record.number for record in RECORDS]
    show = ("log", "show", name, "--data", data, "--limit", 500)
    assert numbers(mm.json(*show)) == everything
    for event in (1, 2, 100, 101, everything[-1]):
        assert numbers(mm.json(*show, "--from", event)) == everything[event - 1 :]
    for turn in (1, HALF, HALF + 1, len(TURNS)):
        wanted = [record.number for record in RECORDS if record.turn == turn]
        assert numbers(mm.json(*show, "--turn", turn)) == wanted
    assert numbers(mm.json(*show, "--last", 7)) == everything[-7:]


@pytest.mark.parametrize("name", ["whole", "half", "bare"])
def test_show_selects(mm: Cli, data: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By kind, family, instrument and order; the last ones are looked for in steps from the end."""
    monkeypatch.setattr(finding, "STEP", 4)

    def wanted(*tags: str) -> list[int]:
        return [each.number for each in RECORDS if tag_of(type(each.event)) in tags]

    show = ("log", "show", name, "--data", data, "--limit", 500)
    trades = wanted("trade")
    assert numbers(mm.json(*show, "--kind", "trade")) == trades
    assert numbers(mm.json(*show, "--kind", "trade", "--last", 5)) == trades[-5:]
    assert numbers(mm.json(*show, "--kind", "trade", "--last", 5000)) == trades
    both = wanted("order.filled", "order.acked")
    assert numbers(mm.json(*show, "--kind", "order.filled,order.acked")) == both
    assert numbers(mm.json(*show, "--kind", "order.filled", "--kind", "order.acked")) == both
    assert numbers(mm.json(*show, "--kind", "order.filled,order.acked", "--last", 3)) == both[-3:]
    family = [each.number for each in RECORDS if tag_of(type(each.event)).startswith("order.")]
    assert numbers(mm.json(*show, "--kind", "order.*")) == family
    symbol = [each.number for each in RECORDS if hasattr(each.event, "instrument")]
    assert numbers(mm.json(*show, "--symbol", "btcusdt")) == symbol
    assert numbers(mm.json(*show, "--symbol", "paper:BTCUSDT", "--last", 2)) == symbol[-2:]
    assert numbers(mm.json(*show, "--symbol", "paper:BTCUSDT", "--last", 5000)) == symbol
    assert isinstance(FILL.event, OrderFilled)
    order = FILL.event.order_id
    life = [each.number for each in RECORDS if getattr(each.event, "order_id", "") == order]
    assert numbers(mm.json(*show, "--order", order)) == life
    assert numbers(mm.json(*show, "--order", order, "--from", FILL.number))[0] == FILL.number
    assert mm.json(*show, "--order", "nobody's") == []


def test_show_needs_no_copy(mm: Cli, tmp_path: Path) -> None:
    """After a crash the server takes its time to copy the orders' turns; they are shown anyway."""
    asyncio.run(stored(tmp_path / "desk", TURNS, killed=True))
    shown = mm.json("log", "show", tmp_path / "desk", "--kind", "order.*", "--limit", 5_000)
    wanted = [each for each in RECORDS if tag_of(type(each.event)).startswith("order.")]
    assert numbers(shown) == [each.number for each in wanted]
    placed = next(each for each in shown if each["kind"] == "order.place")
    assert placed["human"]["size"] == "0.010"


def test_show_gives_programs_both_values(mm: Cli, data: Path) -> None:
    """Raw as on the log, human as exact decimals, names and UTC times."""
    fill = FILL.event
    assert isinstance(fill, OrderFilled)
    (found,) = mm.json("log", "show", "whole", "--data", data, "--from", FILL.number, "--limit", 1)
    assert found["kind"] == "order.filled"
    assert (found["turn"], found["index"], found["at"]) == (FILL.turn, FILL.index, FILL.at)
    assert found["raw"]["price"] == fill.price
    assert found["raw"]["side"] == fill.side
    assert found["human"]["side"] == fill.side.name
    assert found["human"]["price"] == f"{fill.price // 10}.{fill.price % 10}"
    assert found["human"]["size"] == f"0.{fill.size:03}"
    assert found["human"]["instrument"] == "paper:BTCUSDT"
    assert found["human"]["received"] == "2023-11-14T22:13:20.000000Z"
    assert found["time"].startswith("2023-11-14T22:13:2")


def test_show_is_one_line_an_event(mm: Cli, data: Path) -> None:
    """Number, turn and index, time, kind, then size at price, and the cause at the end."""
    text = mm("log", "show", "whole", "--data", data, "--kind", "order.place", "--limit", 2)
    first, second = text.splitlines()
    record = next(each for each in RECORDS if tag_of(type(each.event)) == "order.place")
    assert first.split()[:3] == [f"#{record.number}", f"{record.turn}.{record.index}", "2023-11-14"]
    assert " order.place        paper:BTCUSDT BUY 0.010 @ " in first
    assert first.endswith(f"because of #{record.event.cause}")  # type: ignore[union-attr]
    assert " SELL " in second
    assert "go on with --from" in mm.err


def test_the_smaller_of_last_and_limit_counts(mm: Cli, data: Path) -> None:
    """Of the last three at most one: the last."""
    shown = ("log", "show", "whole", "--data", data, "--last")
    assert numbers(mm.json(*shown, 3, "--limit", 1)) == [len(RECORDS)]
    assert len(mm.json(*shown, 2, "--limit", 50)) == 2
    assert len(mm.json(*shown, 120)) == min(120, len(RECORDS))


def test_on_a_terminal_an_event_is_one_line(
    mm: Cli, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at its width; without what the order id says already, under the day it was."""
    shown = ("log", "show", "whole", "--data", data, "--kind", "order.*")
    monkeypatch.setattr(output.out, "_force_terminal", True)
    monkeypatch.setattr(output.out, "_color_system", None)
    for width in (80, 200):
        monkeypatch.setattr(output.out, "_width", width)
        day, *lines = mm(*shown).splitlines()
        assert day == "2023-11-14 (UTC)"
        assert all(line.split()[0].startswith("#") for line in lines)
        assert max(map(len, lines)) <= width
        assert any(line.endswith("…") for line in lines) == (width == 80)
        assert "strategy=" not in "".join(lines)
    assert "fill_id=" not in next(line for line in lines if "order.filled" in line)


def test_show_goes_on_where_it_stopped(mm: Cli, data: Path) -> None:
    """The hint at the limit names the next event that is wanted."""
    shown = ("log", "show", "whole", "--data", data, "--kind", "trade", "--limit", 4)
    mm(*shown)
    number = int(mm.err.rsplit("--from ", 1)[1].split()[0])
    trades = [each.number for each in RECORDS if tag_of(type(each.event)) == "trade"]
    assert number == trades[4]
    assert numbers(mm.json(*shown, "--from", number)) == trades[4:8]


def test_show_takes_the_latest_session(mm: Cli, data: Path) -> None:
    """Without a name it is the session written last; a path is a name as well."""
    latest = max(
        (path for path in data.iterdir() if path.name != "rec"),
        key=lambda path: (path / "mark").stat().st_mtime_ns,
    )
    by_path = mm("log", "show", latest, "--last", 3)
    assert mm("log", "show", "--data", data, "--last", 3) == by_path


# -- bad input ---------------------------------------------------------------------------------

BAD: Final = [
    (("show", "whol"), 3, "did you mean whole?"),
    (("stats", "nowhere"), 3, "there is no session or recording 'nowhere'"),
    (("show", "whole", "--kind", "order.fild"), 2, "did you mean order.filled"),
    (("show", "whole", "--kind", "zzz"), 2, "there is no kind of event 'zzz'"),
    (("show", "whole", "--symbol", "BTCUSD"), 2, "did you mean BTCUSDT"),
    (("show", "whole", "--from", "9999"), 3, "event 9999 is not on this log"),
    (("show", "whole", "--turn", "9999"), 3, "turn 9999 is not on this log"),
    (("show", "whole", "--turn", "0"), 2, "--turn 0 is no place"),
    (("show", "whole", "--turn", "3", "--last", "2"), 2, "--turn and --last name two places"),
    (("show", "whole", "--limit", "0"), 2, "0 is not in the range"),
    (("show", "whole", "--lst", "2"), 2, "No such option"),
    (("shw", "whole"), 2, "Did you mean 'show'?"),
    (("tail", "whole"), 3, "whole is not running"),
    (("tail", "rec"), 3, "rec is not running"),
    (("export", "whole"), 2, "no directory to write to"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "what"), BAD, ids=[" ".join(each[0]) for each in BAD]
)
def test_bad_input_is_named(
    mm: Cli, data: Path, arguments: tuple[str, ...], code: int, what: str
) -> None:
    """What is wrong, what would be right, and a stable exit code, in words and as JSON."""
    group, *rest = arguments
    given = ("log", group, *rest, *(("--data", data) if group != "shw" else ()))
    assert mm(*given) == ""
    assert mm.code == code
    assert what in mm.err
    assert "Traceback" not in mm.err
    document = json.loads(mm(*given, "--json"))
    assert what in document["what"]
    assert document["exit_code"] == mm.code == code


def test_a_damaged_archive_is_refused(mm: Cli, data: Path, tmp_path: Path) -> None:
    """A changed byte stops `show` and `stats` with the file and the turns."""
    root = shutil.copytree(data / "whole", tmp_path / "whole")
    file = max((root / "archive").rglob("*-trade.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    for command in ("show", "stats"):
        mm("log", command, root, *(("--limit", 5000) if command == "show" else ()))
        assert mm.code == 4
        assert file.name in mm.err
        assert "turns " in mm.err


def test_nothing_is_left_running(mm: Cli, data: Path) -> None:
    """A store that was served to be read is free again."""
    mm("log", "show", "bare", "--data", data, "--last", 1)
    assert not (DeskFiles(data / "bare").store / "reader.json").exists()
    desk_again = mm.json("log", "ls", "--data", data)
    assert "running" not in {each["state"] for each in desk_again}


def test_market_turns_are_only_market() -> None:
    """The made session has turns of both subjects, or the tests above would show little."""
    subjects = {bool(each.turn.previous_orders) for each in TURNS}
    assert subjects == {True, False}
    assert any(isinstance(each.event, MarketEvent) for each in RECORDS)
