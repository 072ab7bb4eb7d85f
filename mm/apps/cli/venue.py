"""`mm venue`: which venues there are, and whether one can be traded at from here."""

import asyncio
from typing import Annotated, Any, Final

import msgspec
import typer

from mm.apps.cli.output import emit_json, table
from mm.errors import VenueUnavailable

app = typer.Typer(add_completion=False, help="Look at venues: list, check.")
SYMBOLS: Final = {
    "kraken": "BTC/USD",
    "standx": "BTC-USD",
    "max": "usdttwd",
    "max_margin": "usdttwd",
}
USUAL: Final = "BTCUSDT"
LIST: Final = """
Example:

    mm venue ls
"""
CHECK: Final = """
Example:

    mm venue check binance --symbol ETHUSDT

Asks for instruments, clock, permissions, account, open orders and rate limits, and changes nothing.
Keys come from MM_BINANCE_KEY and MM_BINANCE_SECRET, with the venue's own name.
"""


LOGIN: Final = """
Example:

    mm venue login 0x1234… --chain bsc

StandX gives a token to a key that a wallet has signed for. This makes a key, shows what the wallet
is to sign, waits for the signature, and prints both variables. The wallet's key is not asked for.
"""


def _parts(name: str = "mm.apps.venue_check") -> Any:
    from mm.apps.cli.live import networked

    return networked(name)


@app.command("ls", epilog=LIST)
def ls(*, as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the venues that orders can be sent to."""
    rows = [msgspec.to_builtins(each) for each in _parts().listed()]
    if as_json:
        emit_json(rows)
        return
    table("", list(rows[0]), [list(row.values()) for row in rows])


@app.command("check", epilog=CHECK)
def check(
    venue: Annotated[str, typer.Argument(help="As `mm venue ls` names it.")],
    *,
    symbol: Annotated[
        list[str] | None, typer.Option(help="By the venue's own name; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Try each thing that a session at a venue needs."""
    symbols = tuple(symbol or [SYMBOLS.get(venue, USUAL)])
    steps = asyncio.run(_parts().Check(venue, symbols).run())
    if as_json:
        emit_json([msgspec.to_builtins(step) for step in steps])
    else:
        rows = [["ok" if step.ok else "failed", step.name, step.found] for step in steps]
        table("", ["", "what", "found"], rows)
    last = steps[-1]
    if not last.ok:
        raise VenueUnavailable(
            f"{venue} cannot be traded at from here: {last.name}: {last.found}",
            where="mm venue check",
            remedy=last.remedy or "see what it says",
        )


@app.command("login", epilog=LOGIN)
def login(
    address: Annotated[str, typer.Argument(help="The wallet's address.")],
    *,
    chain: Annotated[str, typer.Option(help="bsc or solana.")] = "bsc",
) -> None:
    """Get a token from StandX for a new key, with a wallet's signature."""
    flow = _parts("mm.apps.venue_login").Login(chain, address)
    typer.echo(asyncio.run(flow.offer()), err=True)
    signature = typer.prompt("The wallet's signature of this message", err=True)
    for name, value in asyncio.run(flow.finish(signature.strip())).items():
        typer.echo(f"export {name}={value}")
