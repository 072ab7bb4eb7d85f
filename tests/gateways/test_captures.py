"""Lines of captures come out whole, timed and in order, or are named."""

import gzip
from pathlib import Path

import pytest

from mm.errors import BadInput
from mm.gateways import captures
from mm.gateways.captures import CaptureFile, Line
from tests.gateways.lines import write

T = 1_723_161_255_000_000_000


def read(path: Path) -> list[Line]:
    """All lines of a file."""
    return list(CaptureFile(path, 0).lines())


def wrong(path: Path) -> list[tuple[int, str]]:
    """Number and fault of every line that cannot be used."""
    return [(line.number, line.error.what) for line in read(path) if line.error]


def good(path: Path) -> list[int]:
    """Numbers of the lines that can be used."""
    return [line.number for line in read(path) if not line.error]


@pytest.mark.parametrize("members", [0, 1, 2, 5])
def test_plain_and_gzip(tmp_path: Path, members: int) -> None:
    """Every member of a gzip file is read, as if the file were plain."""
    lines = [b"%d {%d}" % (T + n, n) for n in range(100)]
    found = read(write(tmp_path / "capture", lines, members=members))
    assert [line.payload for line in found] == [b"{%d}" % n for n in range(100)]
    assert [line.number for line in found] == list(range(1, 101))


@pytest.mark.parametrize("digits", [10, 13, 16, 19])
def test_units(tmp_path: Path, digits: int) -> None:
    """The number of digits tells whether a time is in s, ms, us or ns."""
    (line,) = read(write(tmp_path / "capture", [str(T)[:digits].encode() + b" {}"]))
    assert line.received == T


@pytest.mark.parametrize(
    "text", [b"{}", b"", b"x {}", b"-1 {}", b"17231 {}", b"1e18 {}", b"\xff {}"]
)
def test_lines_without_a_time(tmp_path: Path, text: bytes) -> None:
    """A line that does not begin with a time is named, and its neighbours come in."""
    path = write(tmp_path / "capture", [b"%d {}" % T, text, b"%d {}" % T])
    assert wrong(path) == [(2, "the line does not begin with a receive time")]
    assert good(path) == [1, 3]


def test_time_running_back(tmp_path: Path) -> None:
    """A line earlier than the one before it is refused, however little earlier."""
    path = write(tmp_path / "capture", [b"%d {}" % (T + n) for n in (0, 5, 4, 6)])
    assert wrong(path) == [(3, "the receive time runs back")]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_time_far_ahead(tmp_path: Path, place: int) -> None:
    """A single damaged time does not make every later line look late."""
    times = [T, T + 1, T + 2, T + 3]
    times[place] += 10**18
    path = write(tmp_path / "capture", [b"%d {}" % time for time in times])
    assert wrong(path) == [(place + 1, "the receive time is far ahead of the next line's")]
    assert len(good(path)) == 3


def test_file_cut_off(tmp_path: Path) -> None:
    """Of a truncated gzip file everything before the cut is read, and the cut is named."""
    whole = write(tmp_path / "capture", [b"%d {}" % (T + n) for n in range(9_000)], members=1)
    path = tmp_path / "cut"
    path.write_bytes(whole.read_bytes()[:-500])
    ((number, what),) = wrong(path)
    assert what.startswith("the compressed data ends here")
    assert good(path) == list(range(1, number))
    assert number > 1_000


def test_damaged_gzip(tmp_path: Path) -> None:
    """A flipped byte in a gzip file is named; nothing after it is believed."""
    path = write(tmp_path / "capture", [b"%d {}" % (T + n) for n in range(99)], members=1)
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # The checksum.
    path.write_bytes(content)
    assert "ends here" in wrong(path)[0][1]


def test_padding_after_gzip(tmp_path: Path) -> None:
    """Zeros after a member are padding, as on a tape."""
    path = write(tmp_path / "capture", [b"%d {}" % T], members=1)
    path.write_bytes(path.read_bytes() + bytes(100) + gzip.compress(b"%d {}" % (T + 1)))
    assert good(path) == [1, 2]


@pytest.mark.parametrize("limit", [100, 1_000_000])
def test_endless_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """A line past all bounds is named and passed over, and does not fill the memory."""
    monkeypatch.setattr(captures, "LINE_BYTES_MAX", limit)
    long = b"%d %s" % (T, b"x" * 3_000_000)
    path = write(tmp_path / "capture", [b"%d {}" % T, long, b"%d {}" % T, b"%d {}" % T])
    assert wrong(path) == [(2, f"a line of more than {limit} bytes")]
    assert good(path) == [1, 3, 4]


def test_absent_file(tmp_path: Path) -> None:
    """A path without a file is named."""
    with pytest.raises(BadInput, match="no such file"):
        CaptureFile(tmp_path, 0)


def test_progress_is_in_bytes_of_the_file(tmp_path: Path) -> None:
    """What the progress bar hears adds up to the size on the disk."""
    path = write(tmp_path / "capture", [b"%d {}" % T] * 5_000, members=3)
    heard: list[int] = []
    list(CaptureFile(path, 0, heard.append).lines())
    assert sum(heard) == path.stat().st_size
