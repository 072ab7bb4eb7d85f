-- Best bid and offer over time: the venue's own quotes, or the folded book where it sends none.
-- `mid` is empty while a side is.
CREATE VIEW top AS
WITH best AS (
    SELECT
        seq, turn, time_ns, instrument, symbol,
        bid, bid_ticks, bid_size, bid_size_lots, ask, ask_ticks, ask_size, ask_size_lots,
        'quote' AS source, archive
    FROM quote
    UNION ALL BY NAME
    SELECT
        event.seq, event.turn, event.time AS time_ns, event.instrument, step.name AS symbol,
        decimal_of(event.bid, step.tick_num, step.tick_den) AS bid,
        event.bid AS bid_ticks,
        decimal_of(event.bid_size, step.lot_num, step.lot_den) AS bid_size,
        event.bid_size AS bid_size_lots,
        decimal_of(event.ask, step.tick_num, step.tick_den) AS ask,
        event.ask AS ask_ticks,
        decimal_of(event.ask_size, step.lot_num, step.lot_den) AS ask_size,
        event.ask_size AS ask_size_lots,
        'book' AS source,
        event.archive
    FROM _book_top AS event
    LEFT JOIN _step AS step
        ON step.archive = event.archive
        AND step.instrument = event.instrument
        AND event.seq >= step.from_seq
        AND event.seq < step.until_seq
)
SELECT
    seq,
    turn,
    make_timestamp_ns(time_ns) AS time,
    time_ns,
    instrument,
    symbol,
    bid, bid_ticks, bid_size, bid_size_lots,
    ask, ask_ticks, ask_size, ask_size_lots,
    CASE WHEN bid_size_lots > 0 AND ask_size_lots > 0 THEN (bid + ask) / 2 END AS mid,
    CASE WHEN bid_size_lots > 0 AND ask_size_lots > 0
        THEN (ask - bid) / ((bid + ask) / 2) * 1e4
    END AS spread_bps,
    source,
    archive
FROM best;
