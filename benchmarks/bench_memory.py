"""Memory of `mm live` over a long run: resident size sampled once a second, and its slope.

Bounded memories (closed orders, fills, answers) fill first: the slope is that of the second half.
A real `mm live` process trades the synthetic market on an embedded log; DuckDB and ccxt, which a
desk with analytics and venues loads, are loaded into it first. Baseline: the same imports alone.

    python benchmarks/bench_memory.py --seconds 600 --json
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
IMPORTS = "import numba, duckdb, ccxt.pro"
LIVE = (
    f"{IMPORTS}; from mm.apps.cli import main; "
    "main(['live', {config!r}, '--paper', '--seconds', '{seconds}', '--data', {data!r}])"
)
RESIDENT = f"{IMPORTS}; print(open('/proc/self/status').read().split('VmRSS:')[1].split()[0])"


def resident(pid: int) -> float:
    """Resident size in MB; 0 once the process is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except FileNotFoundError:
        return 0.0
    return int(status.split("VmRSS:")[1].split()[0]) / 1024 if "VmRSS:" in status else 0.0


def sample(seconds: float) -> list[tuple[float, float]]:
    """Run a session and sample it: seconds since the start, and MB."""
    with tempfile.TemporaryDirectory() as directory:
        config = str(TOP / "mm" / "apps" / "demo.toml")
        code = LIVE.format(config=config, seconds=seconds, data=directory)
        began, samples = time.monotonic(), []
        with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                samples.append((time.monotonic() - began, resident(process.pid)))
                time.sleep(1)
        assert process.returncode == 0, f"mm live ended with {process.returncode}"
    return [each for each in samples if each[1]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    alone = subprocess.run(
        [sys.executable, "-c", RESIDENT], check=True, capture_output=True, text=True
    )
    samples = sample(arguments.seconds)
    settled = [each for each in samples if arguments.seconds / 2 < each[0] < arguments.seconds]
    slope = statistics.linear_regression(*zip(*settled, strict=True)).slope if settled else 0.0
    result = {
        "seconds": arguments.seconds,
        "imports_alone_mb": int(alone.stdout) / 1024,
        "half_way_mb": settled[0][1] if settled else 0.0,
        "last_mb": settled[-1][1] if settled else samples[-1][1],
        "peak_mb": max(each[1] for each in samples),
        "mb_per_hour": slope * 3600,
    }
    if arguments.json:
        json.dump(result, sys.stdout, indent=2)
        return
    print(
        f"{result['seconds']:.0f} s: {result['half_way_mb']:.0f} MB half-way, "
        f"{result['last_mb']:.0f} MB at the end, peak {result['peak_mb']:.0f} MB, "
        f"{result['mb_per_hour']:+.1f} MB an hour (imports alone "
        f"{result['imports_alone_mb']:.0f} MB)"
    )


if __name__ == "__main__":
    main()
