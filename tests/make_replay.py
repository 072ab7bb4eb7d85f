"""Make the golden replay anew: `python tests/make_replay.py`; only for a deliberate change.

A backtest of the demo's maker on a minute of the synthetic market: the same bytes on every
machine, so that making it again shows what a change of the engine changed.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mm.apps import config as configs
from mm.apps.backtest import Backtest
from mm.apps.session import opening
from mm.engine.verify import verify
from mm.events.units import SECONDS, Nanos
from mm.gateways.base import Message
from mm.gateways.paper import PaperGateway
from mm.gateways.recorded import SyntheticFeed
from mm.log.archive import Archive, ArchiveWriter

TOP = Path(__file__).resolve().parent.parent
START = Nanos(1_795_000_000 * SECONDS)
LENGTH = Nanos(60 * SECONDS)


def messages(feed: SyntheticFeed) -> Iterator[Message]:
    """The market's first minute."""
    for message in feed.messages(Nanos(0)):
        if message.received > START + LENGTH:
            return
        yield message


def make(target: Path) -> None:
    """Write the archive and what a replay of it must give."""
    config = configs.build(configs.read(TOP / "mm/apps/demo.toml"), {}, {}, where="demo.toml")
    market = config.feed.market.settings  # type: ignore[union-attr]
    feed = SyntheticFeed(market, config.seed, START)
    gateway = PaperGateway(config.paper.settings, config.seed)
    for instrument in feed.instruments:
        gateway.define(START, instrument)
    run = Backtest(gateway)
    facts = opening(config, "golden", "backtest", feed.instruments, START)
    started = msgspec.structs.replace(facts[0], python="", code_version="golden")
    facts = (started, *facts[1:])
    with ArchiveWriter(target, name=target.name, kind="session") as writer:
        for sealed in run.turns(facts, messages(feed), START):
            writer.append(sealed)
    seen = verify(Archive(target).turns())
    expected = {
        "turns": seen.turns,
        "events": seen.events,
        "decisions": seen.decisions,
        "head": seen.head,
        "digest": seen.digest,
        "digests": seen.digests,
    }
    encoded = msgspec.json.format(msgspec.json.encode(expected), indent=2)
    (target / "expected.json").write_bytes(encoded + b"\n")


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "synthetic-maker"
    shutil.rmtree(TOP / "replays" / name, ignore_errors=True)
    make(TOP / "replays" / name)
