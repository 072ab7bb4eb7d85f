-- Every fill, with its order and the market it met.
-- `edge_bps` is how much better than the mid we traded; a negative fee is a rebate.
CREATE VIEW fills AS
WITH met AS (
    SELECT _fill.*, top.mid, top.bid AS market_bid, top.ask AS market_ask
    FROM _fill
    ASOF LEFT JOIN top
        ON top.archive = _fill.archive
        AND top.instrument = _fill.instrument
        AND _fill.seq >= top.seq
), placed AS (
    SELECT archive, order_id, min(seq) AS seq, any_value(level) AS level,
        any_value(reason) AS reason, min(time_ns) AS placed_ns
    FROM order_place
    GROUP BY archive, order_id
)
SELECT
    met.seq,
    met.time,
    met.side,
    met.price,
    met.size,
    met.liquidity,
    met.fee,
    met.side_sign * (met.mid - met.price) / met.mid * 1e4 AS edge_bps,
    met.mid,
    met.symbol,
    met.strategy,
    placed.level,
    placed.reason,
    seconds(met.time_ns - placed.placed_ns) AS order_age_seconds,
    met.market_bid,
    met.market_ask,
    CASE step.kind
        WHEN 'inverse' THEN met.size * step.multiplier / met.price
        ELSE met.price * met.size * step.multiplier
    END AS notional,
    met.fee_asset,
    met.order_id,
    met.fill_id,
    met.wallet,
    met.instrument,
    met.turn,
    met.time_ns,
    met.side_sign,
    met.price_ticks,
    met.size_lots,
    met.fee_exact,
    met.received,
    met.received_ns,
    met.venue_time,
    met.venue_time_ns,
    met.archive
FROM met
LEFT JOIN placed ON placed.archive = met.archive AND placed.order_id = met.order_id
LEFT JOIN _step AS step
    ON step.archive = met.archive
    AND step.instrument = met.instrument
ORDER BY met.archive, met.seq;
