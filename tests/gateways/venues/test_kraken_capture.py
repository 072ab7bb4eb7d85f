"""Kraken's older protocol from a collector's files: every checksum right, every damage named."""

import json
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from mm.errors import BadInput
from mm.gateways.recorder import Recorder
from mm.gateways.totals import Problems
from mm.gateways.venues.kraken.capture import KrakenImport
from tests.gateways.lines import Turns, recording
from tests.gateways.venues.kraken_frames import PAIR

CAPTURES = "fix-ws-captures-a.tar.gz"
PAIRS_LINE = "https://api.kraken.com/0/public/AssetPairs -> 1618678132.35: " + json.dumps(
    {"error": [], "result": {"XXBTZUSD": PAIR}}
)


def imported(*paths: Path) -> tuple[KrakenImport, Turns]:
    """Import files; returns the import and what it recorded."""
    turns, source = Turns(), KrakenImport(paths, Problems())
    source.run(Recorder(turns))
    return source, turns


def counted(path: Path) -> dict[str, dict[str, Any]]:
    """Updates, right checksums and last book of every pair, from texts and nothing of ours."""
    books: dict[str, dict[str, Any]] = {}
    with tarfile.open(path) as archive:
        members = [each for each in archive if "/KRAKEN.ws." in each.name]
        files = [file for each in members if (file := archive.extractfile(each))]
        texts = [file.read().decode() for file in files]
    for line in "\n".join(texts).splitlines():
        stamp, _, body = line.partition(": ")
        if not stamp.replace(".", "").isdigit() or not body.startswith("["):
            continue
        _, *parts, channel, pair = json.loads(body)
        if not channel.startswith("book"):
            continue
        if "as" in parts[0]:
            books[pair] = {"a": {}, "b": {}, "right": 0, "updates": 0}
        for part in parts:
            for name, rows in part.items():
                for row in rows if name != "c" else ():
                    books[pair][name[0]][row[0]] = row[1]
                    if not float(row[1]):
                        del books[pair][name[0]][row[0]]
        for name, best in (("a", 1), ("b", -1)):
            side = books[pair][name]
            for price in sorted(side, key=lambda text: best * float(text))[1_000:]:
                del side[price]
        if "c" in parts[-1]:
            books[pair]["updates"] += 1
            books[pair]["right"] += summed(books[pair]) == int(parts[-1]["c"])
    return books


def summed(book: dict[str, Any]) -> int:
    """The checksum, from the texts."""
    text = ""
    for name, best in (("a", 1), ("b", -1)):
        for price in sorted(book[name], key=lambda text: best * float(text))[:10]:
            text += price.replace(".", "").lstrip("0") + book[name][price].replace(".", "").lstrip(
                "0"
            )
    return zlib.crc32(text.encode())


def test_every_checksum_of_the_recorded_file_is_right() -> None:
    """4,269 of 4,269, as an independent count has them, for each of ten pairs."""
    path = recording(CAPTURES)
    source, turns = imported(path)
    totals = source.report()
    assert sum(each["checksums"] for each in totals) == 4_269
    assert {(each["checksums_wrong"], each["gaps"], each["book_valid"]) for each in totals} == {
        (0, 0, True)
    }
    wanted = {
        pair.replace("XBT", "BTC"): (book["updates"], book["right"])
        for pair, book in counted(path).items()
    }
    assert {
        each["name"].removeprefix("kraken:"): (each["diffs_applied"], each["checksums"])
        for each in totals
    } == wanted
    assert (source.problems.count, sum(each["trades"] for each in totals)) == (0, 10)
    assert len(turns.turns) == 4_269 + 10 + 8 + 1  # Ten trades came in eight frames.


def v1_lines(*updates: str) -> str:
    """A capture of one pair: list, snapshot, updates."""
    asks, bids = [["60001.00000", "1.00000000", "1.0"]], [["60000.00000", "2.00000000", "1.0"]]
    whole = json.dumps([1, {"as": asks, "bs": bids}, "book-10", "XBT/USD"], separators=(",", ":"))
    return "\n".join([PAIRS_LINE, f"1618678133.1: {whole}", *updates]) + "\n"


def update(size: str, checksum: int | str, at: str = "1618678134.2") -> str:
    """A line that changes the best bid."""
    rows = [["60000.00000", size, "2.5"]]
    body = json.dumps([1, {"b": rows, "c": str(checksum)}, "book-10", "XBT/USD"])
    return f"{at}: {body}"


def right(size: str) -> int:
    """The checksum after `update`."""
    return summed({"a": {"60001.00000": "1.00000000"}, "b": {"60000.00000": size}})


def test_wrong_checksum_in_a_capture_is_a_gap(tmp_path: Path) -> None:
    """From there to the next snapshot nothing of the book is recorded."""
    path = tmp_path / "KRAKEN.0"
    good = update("3.00000000", right("3.00000000"))
    path.write_text(v1_lines(good, update("4.00000000", 1), good))
    source, turns = imported(path)
    (totals,) = source.report()
    assert (totals["diffs_applied"], totals["gaps"], totals["book_valid"]) == (1, 1, False)
    assert source.notes == ["KRAKEN.0:4: gap: the checksum is wrong"]
    assert [type(fact).__name__ for fact in turns.facts] == [
        *("InstrumentDefined", "FeedUp", "BookSnapshot", "BookDelta", "FeedGapped"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "1618678134.2: [1]",
        '1618678134.2: [1,{"b":[["60000.05000","1","2.5"]],"c":"1"},"book-10","XBT/USD"]',
        '1618678134.2: [1,{"b":[["60000.0"]],"c":"1"},"book-10","XBT/USD"]',
        '1618678134.2: [1,{"b":[],"c":"1"},"book-10","XBT/USD"]',
        '1618678134.2: [1,{"b":[["60000.0","1","x"]],"c":"1"},"book-10","XBT/USD"]',
        '1618678134.2: [1,{},"spread","XBT/USD"]',
        '1618678134.2: [1,[["60000.0","1","2.5","x","l",""]],"trade","XBT/USD"]',
        '1618678134.2: [1,{},"book-10","ETH/USD"]',
    ],
)
def test_damaged_line_is_named_and_the_rest_imported(tmp_path: Path, line: str) -> None:
    """By file and line."""
    path = tmp_path / "KRAKEN.0"
    path.write_text(v1_lines(line, update("3.00000000", right("3.00000000"))))
    source, _ = imported(path)
    (totals,) = source.report()
    assert (source.problems.count, totals["diffs_applied"]) == (1, 1)
    assert source.problems.kept[0].where == "KRAKEN.0:3"


def test_capture_without_the_list_of_pairs_is_refused(tmp_path: Path) -> None:
    """What a tick is cannot be guessed."""
    path = tmp_path / "KRAKEN.ws.1.0"
    path.write_text("\n".join(v1_lines().splitlines()[1:]))
    with pytest.raises(BadInput, match="list of pairs"):
        imported(path)
