-- Best bid and offer over time: the venue's own quotes, or the folded book where it sends none.
-- `mid` is empty while a side is.
CREATE VIEW top AS
WITH best AS (
    SELECT
        seq, turn, time, instrument, bid, bid_size, ask, ask_size, 'quote' AS source, archive
    FROM _quote
    UNION ALL
    SELECT
        seq, turn, time, instrument, bid, bid_size, ask, ask_size, 'book' AS source, archive
    FROM _book_top
)
SELECT
    best.seq,
    make_timestamp_ns(best.time) AS time,
    decimal_of(best.bid, step.tick_num, step.tick_den) AS bid,
    decimal_of(best.bid_size, step.lot_num, step.lot_den) AS bid_size,
    decimal_of(best.ask, step.tick_num, step.tick_den) AS ask,
    decimal_of(best.ask_size, step.lot_num, step.lot_den) AS ask_size,
    CASE WHEN best.bid_size > 0 AND best.ask_size > 0
        THEN decimal_of(best.bid + best.ask, step.tick_num, 2 * step.tick_den)
    END AS mid,
    CASE WHEN best.bid_size > 0 AND best.ask_size > 0
        THEN (best.ask - best.bid) / ((best.bid + best.ask) / 2) * 1e4
    END AS spread_bps,
    step.name AS symbol,
    best.source,
    best.instrument,
    best.turn,
    best.time AS time_ns,
    best.bid AS bid_ticks,
    best.bid_size AS bid_size_lots,
    best.ask AS ask_ticks,
    best.ask_size AS ask_size_lots,
    best.archive
FROM best
LEFT JOIN _step AS step
    ON step.archive = best.archive
    AND step.instrument = best.instrument;
