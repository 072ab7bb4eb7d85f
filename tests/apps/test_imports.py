"""The command `mm import`: totals as JSON or a table, exit codes, and Ctrl-C."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mm.apps.cli import main
from mm.log.archive import Archive
from tests.gateways.lines import Market, capture, write

RUN = "import sys; from mm.apps.cli import main; main(sys.argv[1:])"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    streams = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return code, streams.out, streams.err


def test_binance_raw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON names every figure, with exact decimals; the recording holds the turns it counts."""
    market, lines = capture(diffs=10)
    path = write(tmp_path / "a.gz", [*lines, b"rubbish"], members=2)
    code, out, _ = run(capsys, "import", "binance-raw", path, "--out", tmp_path / "rec", "--json")
    document: dict[str, Any] = json.loads(out)
    assert code == 0
    assert document["lines_malformed"] == 1
    assert document["malformed"][0]["where"] == f"a.gz:{len(lines) + 1}"
    (totals,) = document["instruments"]
    assert totals["final_update_id"] == market.update
    assert totals["best_bid"] == f"{market.top[0] / 10:.1f}"
    archive = Archive(tmp_path / "rec")
    assert sum(1 for _ in archive.turns()) == document["turns"]
    assert archive.head.hash.hex() == document["hash"]
    assert document["bytes_written"] > 1_000


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People get a table, and what went wrong on stderr."""
    path = write(tmp_path / "a", [*capture(diffs=3)[1], b"rubbish"])
    code, out, err = run(capsys, "import", "binance-raw", path, "--out", tmp_path / "rec")
    assert code == 0
    assert "ticker mismatches" in out
    assert "1 lines malformed" in out
    assert "a:11: MalformedLine" in err


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--strict", "--force"], 3, "MalformedLine"),
        (["--instrument", "x"], 2, "ConfigError"),
        (["--force"], 0, ""),
        ([], 2, "ConfigError"),
    ],
)
def test_exit_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, error: str
) -> None:
    """A recording that is there, a bad line under --strict, a bad definition: each has its code."""
    path = write(tmp_path / "a", [*capture(diffs=3)[1], b"rubbish"])
    command = ["import", "binance-raw", path, "--out", tmp_path / "rec", "--json"]
    run(capsys, *command)
    found, out, _ = run(capsys, *command, *arguments)
    assert (found, json.loads(out).get("error", "")) == (code, error)


def test_nothing_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An import of nothing at all is an error, and leaves no recording."""
    path = tmp_path / "t.csv"
    path.write_text("time,price,size,side\nx,1,1,buy\n")
    define = ["--venue", "v", "--symbol", "BTCUSDT", "--tick", "1", "--lot", "1"]
    code, out, _ = run(
        capsys, "import", "csv", "--trades", path, *define, "--out", tmp_path / "rec", "--json"
    )
    assert (code, json.loads(out)["where"]) == (3, "t.csv:2")
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The options of a table reach the recording."""
    path = tmp_path / "t.tsv"
    path.write_text("when\tpx\tqty\tside\n1640995260\t60000.5\t2\tsell\n")
    define = ["--venue", "v", "--symbol", "BTC-PERP", "--kind", "linear", "--tick", "0.5"]
    define += ["--lot", "1", "--define", "base=BTC", "--define", "quote=USD"]
    shape = ["--column", "time=when", "--column", "price=px", "--delimiter", "tab"]
    code, out, _ = run(
        capsys,
        *("import", "csv", "--trades", path, *define, *shape),
        *("--out", tmp_path / "rec", "--json"),
    )
    (totals,) = json.loads(out)["instruments"]
    assert (code, totals["name"], totals["trade_notional_sum"]) == (0, "v:BTC-PERP", "120001.0")


def test_csv_without_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file there is nothing to import."""
    define = ["--venue", "v", "--symbol", "BTCUSDT", "--tick", "1", "--lot", "1"]
    code, _, err = run(capsys, "import", "csv", *define, "--out", tmp_path / "rec")
    assert code == 2
    assert "--trades" in err


@pytest.mark.parametrize("command", [["import"], ["import", "binance-raw"], ["import", "csv"]])
def test_help(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    """Every command explains itself, with an example."""
    code, out, _ = run(capsys, *command, "--help")
    assert code == 0
    assert len(command) == 1 or f"mm {' '.join(command)}" in out.partition("Example:")[2]


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends with code 130 and leaves no half recording."""
    market = Market(1)
    lines = [market.snapshot(), market.diff(), *(market.trade() for _ in range(60_000))]
    path, draft = write(tmp_path / "a", lines), tmp_path / "out" / ".rec.draft"
    (tmp_path / "out").mkdir()
    arguments = ["import", "binance-raw", str(path), "--out", str(tmp_path / "out" / "rec")]
    with subprocess.Popen([sys.executable, "-c", RUN, *arguments]) as process:
        deadline = time.monotonic() + 30
        while not draft.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert list((tmp_path / "out").iterdir()) == []
