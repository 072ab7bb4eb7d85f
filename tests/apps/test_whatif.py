"""`mm replay whatif`: a session replayed as it was, then changed."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mm.apps import config as configs
from mm.apps.changes import changed
from mm.apps.played import played
from mm.apps.whatif import MEASURED, hear, whatif
from mm.errors import ConfigError, SessionError
from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated, TradePrinted
from mm.events.orders import OrderFilled, OrderSubmitted
from mm.log.archive import Archive
from mm.projections.book import Books
from tests.apps.processes import here, refused
from tests.apps.test_bad_input import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mm.analytics.run import Run
    from mm.apps.config import Config
    from mm.events.turn import Turn

KEY = "strategies.maker.half_spread_bps"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of some seconds."""
    out = tmp_path_factory.mktemp("market") / "seconds"
    assert here("record", "--feed", "synthetic", "--seconds", 4, "--out", out).returncode == 0
    return out


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, market: Path) -> Path:
    """The log of a session over it: a plain backtest's."""
    place = tmp_path_factory.mktemp("session")
    words = ("replay", "backtest", market, "--strategy", written(place), "--out", place / "log")
    assert here(*words).returncode == 0
    return place / "log"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Its configuration."""
    return configs.load(written(tmp_path), {}, {})


def test_a_session_becomes_the_columns_of_the_pass(
    session: Path, market: Path, config: Config
) -> None:
    """Turns give the orders, fills and points that the compiled pass leaves of the same run."""
    same_columns(asyncio.run(hear(session)).real, played(config, [market]))


VARIED = """[paper]
entry = ["2ms", "30ms"]
cancel = ["1ms", "1ms"]
response_sample = ["1ms", "2ms", "90ms"]
[strategies.maker]"""


CHANCE = """[paper]
matching = "poisson"
arrivals = {rate = 60.0, decay = 0.1}
[strategies.maker]"""
MADE = """[paper]
measured = [[1, 3000001, 9000001], [2, 0, 9000002], [9, 3000009, 9000009]]
[strategies.maker]"""


@pytest.mark.parametrize("change", [VARIED, CHANCE, MADE])
def test_the_pass_draws_what_the_session_drew(tmp_path: Path, market: Path, change: str) -> None:
    """With the seed of its configuration, so that a replay of it is whole."""
    path = written(tmp_path, "[strategies.maker]", change)
    words = ("replay", "backtest", market, "--strategy", path, "--out", tmp_path / "log")
    assert here(*words).returncode == 0
    heard = asyncio.run(hear(tmp_path / "log"))
    compiled = played(configs.load(path, {}, {}), [market])
    same_columns(heard.real, compiled)
    assert whatif(heard, tmp_path / "log").trust.score == 1.0


def test_delays_that_vary_are_told(tmp_path: Path, market: Path) -> None:
    """The tear sheet names the range of each kind of message."""
    config = configs.load(written(tmp_path, "[strategies.maker]", VARIED), {}, {})
    told = "2 to 30 ms to the venue, 1 ms to cancel, 1 to 90 ms (sampled) back"
    assert played(config, [market]).info.latency == told
    config = configs.load(written(tmp_path, "[strategies.maker]", MADE), {}, {})
    told = "as measured (3 ms to the venue, 6 ms back in the median)"
    assert played(config, [market]).info.latency == told
    config = configs.load(written(tmp_path, "[strategies.maker]", CHANCE), {}, {})
    assert "poisson matching (60 takers a second" in played(config, [market]).info.queue


def same_columns(real: Run, compiled: Run) -> None:
    """All that a log tells of orders, fills and points is equal."""
    assert len(real.fills) > 0
    assert len(real.orders) > len(real.fills)
    assert (real.info.desks, real.info.instruments) == (
        compiled.info.desks,
        compiled.info.instruments,
    )
    for name in ("placed", "acked", "ended", "price", "size", "filled", "side", "level", "status"):
        assert np.array_equal(real.orders[name], compiled.orders[name]), name
    for name in ("order", "at", "heard", "price", "size", "side", "taker", "desk"):
        assert np.array_equal(real.fills[name], compiled.fills[name]), name
    assert len(real.points) > 1
    for name in ("at", "net", "mid2"):
        assert np.array_equal(real.points[name], compiled.points[name]), name


def test_a_backtest_is_reproduced_whole(session: Path) -> None:
    """Its own venue plays it again: every fill, every order, the same profit."""
    found = whatif(asyncio.run(hear(session)), session).trust
    assert (found.score, found.size_score, found.surplus) == (1.0, 1.0, 0)
    assert found.orders_real == found.orders_simulated > 0
    assert not any(found.profit_difference.values())


def test_what_was_measured_can_be_played(session: Path) -> None:
    """The round trips of a backtest are the latency that it was given: the same comes of it."""
    heard = asyncio.run(hear(session))
    asked = whatif(heard, session, (), MEASURED)
    assert whatif(heard, session).unchanged.info.latency in asked.unchanged.info.latency
    assert (asked.trust.score, asked.trust.surplus) == (1.0, 0)


def test_a_paper_session_is_reproduced(tmp_path: Path) -> None:
    """At full speed nearly every fill comes again, in the first session of a desk and the next."""
    words = ("--speed", "max", "--seconds", 20, "--data", tmp_path)
    for _ in range(2):
        assert here("live", written(tmp_path), "--paper", *words).returncode == 0
    told = {}
    for number in ("1", "2"):
        ran = here("replay", "whatif", "--data", tmp_path, "--session", number, "--json")
        told[number] = json.loads(ran.stdout)
        found = told[number]["trust"]
        assert found["fills_real"] > 20
        assert found["score"] >= 0.97
    assert told["1"]["last_time"] < told["2"]["first_time"]
    latest = json.loads(here("replay", "whatif", "--data", tmp_path, "--json").stdout)
    assert latest == told["2"]


def test_a_store_is_read_as_its_archive(tmp_path: Path) -> None:
    """What only the server holds gives the same; what fills met is the mid of the plain book."""
    words = ("--speed", "max", "--seconds", 6, "--data", tmp_path)
    assert here("live", written(tmp_path), "--paper", *words).returncode == 0
    desk = tmp_path / "bad"
    turns = [sealed.turn for sealed in Archive(desk / "archive").turns()]
    heard = [asyncio.run(hear(desk))]
    shutil.rmtree(desk / "archive")
    heard.append(asyncio.run(hear(desk)))
    first, second = (each.real for each in heard)
    files = [each.rows.write(tmp_path / f"{number}.rows", "") for number, each in enumerate(heard)]
    assert files[0].digest == files[1].digest
    assert first.info == second.info
    for name in ("orders", "fills", "points"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert first.fills["mid2"].tolist() == list(mids_met(turns)) != []


def mids_met(turns: Iterable[Turn]) -> Iterator[int]:
    """Twice the mid at each fill's time at the venue, by the plain fold of the book."""
    books, last, known = Books(), 0, [(0, 0)]
    folds = books.routes()
    for turn in turns:
        for fact in turn.facts:
            if isinstance(fact, OrderFilled):
                yield [mid2 for at, mid2 in known if at <= fact.venue_time][-1]
            if isinstance(fact, OrderSubmitted):
                last = max(last, fact.sent)
            if isinstance(fact, BookSnapshot | BookDelta | QuoteUpdated | TradePrinted):
                last = max(last, fact.received)
                if type(fact) in folds:
                    folds[type(fact)](fact, turn.at)
                book = books.of(fact.instrument)
                mid2 = book.bid + book.ask if book.usable and book.two_sided else 0
                known.append((min(last, turn.at), mid2))
        last = max(last, turn.at)


def test_a_change_is_shown_beside_the_replay(session: Path, tmp_path: Path) -> None:
    """A wider spread fills less; text, JSON and a page say so, with what was changed."""
    words = ("replay", "whatif", session, "--set", "strategy.half_spread_bps=3")
    ran = here(*words, "--report", tmp_path / "page.html")
    assert ran.returncode == 0, ran.stderr
    assert "trust score 1.000" in ran.stdout
    assert f"{KEY}: " in ran.stdout
    assert "-> 3.0" in ran.stdout
    assert "difference" in ran.stdout
    page = (tmp_path / "page.html").read_text()
    for shown in ("<svg", "trust score 1.000", f"{KEY}</th>", "unchanged", "changed"):
        assert shown in page, shown
    told = json.loads(here(*words, "--json").stdout)
    (change,) = told["changes"]
    assert (change["key"], change["new"]) == (KEY, 3.0)
    fills = {
        run: sum(each["trading"]["fills"] for each in told[run]["accounts"])
        for run in ("real", "unchanged", "changed")
    }
    assert fills["real"] == fills["unchanged"] > fills["changed"]


def test_without_a_change_the_page_shows_session_and_replay(session: Path, tmp_path: Path) -> None:
    """There is still something to look at: what the trust score compares."""
    assert here("replay", "whatif", session, "--report", tmp_path / "page.html").returncode == 0
    page = (tmp_path / "page.html").read_text()
    assert "trust score 1.000" in page
    assert ">session</th>" in page


def test_a_session_is_chosen_by_name_or_number(session: Path) -> None:
    """Its id, its number, or the latest; another name is refused with the nearest."""
    heard = asyncio.run(hear(session))
    for name in (heard.segment.name, "1", ""):
        assert asyncio.run(hear(session, name)).segment == heard.segment
    with pytest.raises(SessionError, match=heard.segment.name):
        asyncio.run(hear(session, heard.segment.name[:-2]))
    with pytest.raises(SessionError, match="no session '2'"):
        asyncio.run(hear(session, "2"))


def test_a_recording_is_no_session(market: Path) -> None:
    """Nobody traded there, so that there is nothing to reproduce."""
    refused(here("replay", "whatif", market), 3, "no session has ever started here")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("strategy.half_spred_bps=3", f"the nearest is {KEY}"),
        ("strategies.taker.levels=1", "the nearest is strategies.maker.levels"),
        ("strategy.half_spread_bps=wide", "half_spread_bps"),
        ("strategy.levels=1.5", "levels"),
        ("strategy.levels=0", "levels"),
        ("strategy.levels", "no key=value"),
        ("strategy=3", "is a table"),
        ("feed.speed=2", "no part in a replay"),
        ("strategy.half_spread_bps.more=1", "the nearest is"),
        ("", "no key=value"),
    ],
)
def test_a_bad_change_is_refused(config: Config, setting: str, words: str) -> None:
    """With the nearest key, or what is wrong with the value; nothing is run."""
    with pytest.raises(ConfigError) as told:
        changed(config, [setting])
    assert words in f"{told.value.what} {told.value.where}"
    assert told.value.remedy


def test_values_are_written_as_in_toml(config: Config) -> None:
    """Numbers, text with and without quotes, lists; the last of several for a key holds."""
    limit = next(iter(config.limits))
    other, changes = changed(
        config,
        [
            "strategy.refresh=100ms",
            'strategy.age_max="5s"',
            'paper.entry=["2ms", "2ms"]',
            f'limits."{limit}".open_orders_max=7',
            "strategy.levels=1",
            "strategy.levels=2",
        ],
    )
    maker: Any = other.strategies["maker"]
    assert (maker.refresh, maker.age_max, maker.levels) == ("100ms", "5s", 2)
    assert other.paper.entry == ("2ms", "2ms")
    assert other.limits[limit].open_orders_max == 7
    assert [each.key for each in changes][-1] == "strategies.maker.levels"
    assert len(changes) == 5


def test_the_short_form_needs_one_strategy(config: Config) -> None:
    """Of several, which one is meant has to be said."""
    two: dict[str, Any] = {**config.strategies, "second": config.strategies["maker"]}
    several = type(config)(desk="d", feed=config.feed, strategies=two, limits=config.limits)
    with pytest.raises(ConfigError, match="maker, second"):
        changed(several, ["strategy.levels=1"])


def test_what_the_pass_cannot_play_is_named(session: Path) -> None:
    """A limit beyond its own, too many levels: refused by name, with what can be done."""
    words = ("replay", "whatif", session, "--set")
    often = 'limits."synthetic:BTC-USDT".messages_per_second_max=2000'
    refused(here(*words, often), 2, "more than 1024 messages a second")
    refused(here(*words, "strategy.levels=14"), 2, "decide more than one turn takes")
    refused(here(*words, "paper.latency=none", "--latency", MEASURED), 2, "both changed and")
    refused(here("replay", "whatif", session, "--latency", "empirical"), 2, "as-configured")
