"""What documents of rates say, and what is wrong with those that are not right."""

from decimal import Decimal
from typing import Any

import pytest

from mm.errors import BadInput, ConfigError, CrossedBook
from mm.events.units import SECONDS
from mm.gateways.reference.answers import MaxTicker, OpenRates
from mm.gateways.reference.quote import Basis, Pair, pair_from
from mm.gateways.reference.tables import BankOfTaiwan, Taifex

USD = Pair("USD", "TWD")
BUY, SELL = "USD,本行買入,31.0,31.35,31.30,31.20", "本行賣出,31.7,31.45,31.40,31.30,"
HEAD = "幣別,匯率,現金,即期,遠期10天,遠期30天,匯率,現金,即期,遠期10天,遠期30天,"


def board(*rows: str) -> bytes:
    """A board of the bank as it comes: with a byte order mark and strange line ends."""
    return "\r\n".join((HEAD, *rows)).encode("utf-8-sig")


@pytest.mark.parametrize(
    "row",
    [
        f"{BUY},{SELL}",
        f"USD,new,本行買入,31.0,31.35,9,9,9,x,{SELL}",
        f" USD , 本行買入 ,31.0, 31.35 ,{SELL}",
        f"USD,{SELL}本行買入,31.0,31.35",
    ],
    ids=["plain", "columns inserted", "spaces", "sides swapped"],
)
def test_spot_is_found_by_its_labels(row: str) -> None:
    """Two behind the label, wherever that stands; never a forward, never cash."""
    told = BankOfTaiwan().read(USD, board("JPY,本行買入,1,2,本行賣出,1,2", row))
    assert (told.bid, told.ask) == (Decimal("31.35"), Decimal("31.45"))
    assert (told.kind, told.quoted_at) == (Basis.BOARD, 0)


def test_an_inverse_is_derived() -> None:
    """What nobody publishes is turned around: we pay what the bank asks for."""
    told = BankOfTaiwan().read(Pair("TWD", "USD"), board(f"{BUY},{SELL}"))
    assert told.bid == round(1 / Decimal("31.45"), 13)
    assert told.ask == round(1 / Decimal("31.35"), 13)
    assert told.kind is Basis.DERIVED


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["USD,本行買入,31.0,0,本行賣出,31.7,31.45"], "no quote"),
        (["USD,本行買入,31.0,0.00000,本行賣出,31.7,31.45"], "no quote"),
        (["USD,本行買入,31.0,-31.3,本行賣出,31.7,31.45"], "is -31.3"),
        (["USD,本行買入,31.0,,本行賣出,31.7,31.45"], "not a finite number"),
        (["USD,本行買入,31.0,nan,本行賣出,31.7,31.45"], "not a finite number"),
        (["USD,本行買進,31.0,31.3,本行賣出,31.7,31.45"], "no spot price"),
        (["USD,本行買入,31.0,31.3,本行賣出,31.7"], "no spot price"),
        (["USD,本行買入,1,2,本行買入,1,2,本行賣出,1,2"], "no spot price"),
        (["JPY,本行買入,0.2,0.21,本行賣出,0.22,0.23"], "no row of USD"),
        ([], "no row of USD"),
    ],
)
def test_a_board_without_a_quote_says_so(rows: list[str], words: str) -> None:
    """Zero is no price, and what has moved away is not guessed at."""
    with pytest.raises(BadInput, match=words):
        BankOfTaiwan().read(USD, board(*rows))


def test_a_crossed_board_is_refused() -> None:
    """A bank that pays more than it asks for has its columns mixed up."""
    with pytest.raises(CrossedBook):
        BankOfTaiwan().read(USD, board("USD,本行買入,31,31.5,本行賣出,31.7,31.45"))


def test_a_board_that_is_no_text_is_refused() -> None:
    """Half a character, an image, an HTML page."""
    for body in (b"\xff\xfe\x00", b"<html>busy</html>", b""):
        with pytest.raises(BadInput):
            BankOfTaiwan().read(USD, body)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Date,USD/NTD,EUR/USD\n20261119,31.1,1.1\n20261120,31.2,1.1\n", "utf-8-sig"),
        ("日期,美元／新台幣,歐元／美元\n2026/11/20,31.2,1.1\n2026/11/19,31.1,1.1\n", "cp950"),  # noqa: RUF001
        ("EUR/USD, usd/ntd ,Date,x\n1.1,31.2,2026-11-20\n", "utf-8"),
    ],
    ids=["english", "chinese", "columns moved"],
)
def test_the_latest_day_counts(text: str, encoding: str) -> None:
    """Found by labels in either language, in either order of days; dated 16:00 in Taipei."""
    told = Taifex().read(USD, text.encode(encoding))
    assert told.bid == told.ask == Decimal("31.2")
    assert told.quoted_at == 1_795_161_600 * SECONDS
    assert told.kind is Basis.MID


@pytest.mark.parametrize(
    "text",
    [
        "Date,EUR/USD\n20261120,1.1\n",
        "Date,USD/NTD\n",
        "Date,USD/NTD\nyesterday,31.2\n",
        "Date,USD/NTD\n20261120,-\n",
        "Date,USD/NTD\n20261120,0\n",
        "Date,USD/NTD,USD/TWD\n20261120,1,2\n",
        "",
    ],
)
def test_a_list_without_the_rate_is_refused(text: str) -> None:
    """Neither another column nor another day stands in for it."""
    with pytest.raises(BadInput):
        Taifex().read(USD, text.encode())


OPEN = b'{"result":"success","base_code":"USD","time_last_update_unix":1795161601,"rates":%b}'


def test_a_table_in_json_is_exact() -> None:
    """The figure as it was written, not a float of it."""
    told = OpenRates().read(USD, OPEN % b'{"USD":1,"TWD":31.2345678901}')
    assert told.bid == told.ask == Decimal("31.2345678901")
    assert told.quoted_at == 1_795_161_601 * SECONDS


@pytest.mark.parametrize(
    "body",
    [
        OPEN % b'{"EUR":1}',
        OPEN % b'{"TWD":0}',
        OPEN % b'{"TWD":"much"}',
        OPEN.replace(b"USD", b"EUR") % b'{"TWD":31}',
        OPEN.replace(b"success", b"error") % b'{"TWD":31}',
        OPEN.replace(b"1795161601", b"179516160100000") % b'{"TWD":31}',
        b"[]",
        b"\xff",
    ],
)
def test_a_table_of_something_else_is_refused(body: bytes) -> None:
    """Another base, an error, no rate, no time."""
    with pytest.raises(BadInput):
        OpenRates().read(USD, body)


def test_a_ticker_is_what_is_traded() -> None:
    """Bid and offer of the market itself, in milliseconds."""
    body = b'{"market":"usdttwd","at":1795161601123,"buy":"31.1","sell":"31.2","last":"31.2"}'
    told = MaxTicker().read(Pair("USDT", "TWD"), body)
    assert (told.bid, told.ask) == (Decimal("31.1"), Decimal("31.2"))
    assert (told.kind, told.quoted_at) == (Basis.TRADED, 1_795_161_601_123_000_000)
    with pytest.raises(CrossedBook):
        MaxTicker().read(USD, body.replace(b"31.1", b"31.9"))


@pytest.mark.parametrize("source", [BankOfTaiwan(), Taifex(), MaxTicker()])
def test_a_pair_that_is_not_published_is_refused(source: Any) -> None:
    """Before anything is asked."""
    with pytest.raises(ConfigError, match="EUR/USD"):
        source.url(Pair("EUR", "USD"))


@pytest.mark.parametrize("text", ["", "USD", "USD/", "usd/twd", "USD/USD", "US D/TWD", "A/B/C"])
def test_a_pair_is_two_currencies(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ConfigError):
        pair_from(text)
