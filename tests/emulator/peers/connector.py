"""What a user of binance-connector does: look around, listen, trade, and be refused."""

import importlib
import json
import os
import queue
from typing import Any

here: Any = importlib.import_module("here")
rest = importlib.import_module("binance.spot")
streams = importlib.import_module("binance.websocket.spot.websocket_stream")
errors = importlib.import_module("binance.error")
SYMBOL = "BTCUSDT"
SECONDS = 20


def main() -> None:
    """One session."""
    client = rest.Spot(os.environ["MM_BINANCE_KEY"], os.environ["MM_BINANCE_SECRET"])
    (symbol,) = client.exchange_info(SYMBOL)["symbols"]
    depth = client.depth(SYMBOL, limit=5)
    here.tell(symbol=symbol["symbol"], bid=depth["bids"][0])

    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    socket = streams.SpotWebsocketStreamClient(
        on_message=lambda _, text: heard.put(json.loads(text))
    )
    socket.diff_book_depth(symbol=SYMBOL.lower(), speed=100)
    socket.user_data(listen_key=client.new_listen_key()["listenKey"])
    acks = [heard.get(timeout=SECONDS) for _ in range(2)]
    here.tell(acks=[ack["result"] for ack in acks])

    order = client.new_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity=0.5, price=59950
    )
    here.tell(order=order["orderId"], status=order["status"])
    update: dict[str, Any] = {}
    while update.get("X") != "FILLED":
        update = heard.get(timeout=SECONDS)
    here.tell(filled=update["z"], trade=update["t"])
    here.tell(trades=[trade["id"] for trade in client.my_trades(SYMBOL)])

    resting = client.new_order(
        symbol=SYMBOL, side="SELL", type="LIMIT_MAKER", quantity=0.1, price=60050
    )
    here.tell(canceled=client.cancel_order(SYMBOL, orderId=resting["orderId"])["status"])
    try:
        client.cancel_order(SYMBOL, orderId=resting["orderId"])
    except errors.ClientError as refused:
        here.tell(code=refused.error_code, status=refused.status_code)
    socket.stop()


main()
