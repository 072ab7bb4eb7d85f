-- One row an order: what was asked, what became of it, and when. Status, price and size are those of
-- the engine's own fold; price and size are the last that the venue confirmed.
CREATE VIEW orders AS
WITH acked AS (
    SELECT
        archive, order_id,
        min(time_ns) AS acked_ns,
        any_value(venue_order_id) AS venue_order_id
    FROM order_acked
    GROUP BY ALL
), filled AS (
    SELECT
        archive, order_id,
        count(*) AS fills,
        sum(size) AS size,
        sum(size_lots)::BIGINT AS size_lots,
        sum(price * size) / sum(size) AS price,
        sum(fee) AS fee
    FROM _fill
    GROUP BY ALL
), refused AS (
    SELECT archive, order_id, reason, seq FROM order_rejected
    UNION ALL
    SELECT archive, order_id, reason, seq FROM order_canceled
    UNION ALL
    SELECT archive, order_id, raw_text, seq FROM order_expired
    UNION ALL
    SELECT archive, order_id, evidence, seq FROM order_resolved
)
SELECT
    place.seq,
    place.time AS placed_at,
    place.side,
    decimal_of(fold.price, step.tick_num, step.tick_den) AS price,
    decimal_of(fold.size, step.lot_num, step.lot_den) AS size,
    coalesce(filled.size, 0) AS filled,
    fold.status,
    place.level,
    place.reason,
    refused.reason AS closed_reason,
    moment(acked.acked_ns) AS acked_at,
    moment(fold.closed_time) AS closed_at,
    filled.price AS filled_price,
    coalesce(filled.fills, 0) AS fills,
    coalesce(filled.fee, 0) AS fee,
    place.symbol,
    place.strategy,
    place.order_id,
    acked.venue_order_id,
    place.cause,
    place.kind,
    place.tif,
    place.post_only,
    place.reduce_only,
    place.wallet,
    place.instrument,
    place.turn,
    fold.closed_seq,
    place.time_ns AS placed_ns,
    acked.acked_ns,
    fold.closed_time AS closed_ns,
    place.side_sign,
    fold.price AS price_ticks,
    fold.size AS size_lots,
    coalesce(filled.size_lots, 0) AS filled_lots,
    place.archive
FROM order_place AS place
LEFT JOIN _order_fold AS fold
    ON fold.archive = place.archive
    AND fold.order_id = place.order_id
LEFT JOIN acked ON acked.archive = place.archive AND acked.order_id = place.order_id
LEFT JOIN filled ON filled.archive = place.archive AND filled.order_id = place.order_id
LEFT JOIN refused ON refused.archive = place.archive AND refused.seq = fold.closed_seq
LEFT JOIN _step AS step
    ON step.archive = place.archive
    AND step.instrument = place.instrument
ORDER BY place.archive, place.seq;
