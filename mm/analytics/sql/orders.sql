-- One row an order: what was asked, what became of it, and when. The status is folded by the very
-- table that the engine uses (`_lifecycle`); the first answer that closes an order closes it.
CREATE VIEW orders AS
WITH closing AS (
    SELECT
        answer.archive, answer.order_id,
        min(answer.seq) AS closed_seq,
        min(answer.time_ns) AS closed_ns,
        arg_min(ending.status, answer.seq) AS status
    FROM _order_answer AS answer
    JOIN _ending AS ending USING (answer)
    GROUP BY ALL
), live AS (
    SELECT archive, order_id, instrument, seq
    FROM order_place AS place
    ANTI JOIN closing ON closing.archive = place.archive AND closing.order_id = place.order_id
), asked AS (
    SELECT answer.archive, answer.order_id, answer.seq, answer.answer
    FROM _order_answer AS answer
    SEMI JOIN live ON live.archive = answer.archive AND live.order_id = answer.order_id
    UNION ALL
    SELECT live.archive, live.order_id, everything.seq, 'order.cancel'
    FROM order_cancel_all AS everything
    JOIN live
        ON live.archive = everything.archive
        AND live.instrument = everything.instrument
        AND live.seq < everything.seq
), standing AS (
    SELECT
        archive, order_id,
        list_reduce(
            list(answer ORDER BY seq),
            lambda status, answer: coalesce(any_value(next)[status || ' ' || answer], status),
            'pending_new'
        ) AS status
    FROM asked
    CROSS JOIN _lifecycle
    GROUP BY ALL
), acked AS (
    SELECT
        archive, order_id,
        min(time_ns) AS acked_ns,
        any_value(venue_order_id) AS venue_order_id
    FROM order_acked
    GROUP BY ALL
), amended AS (
    SELECT
        archive, order_id,
        arg_max(price, seq) AS price,
        arg_max(price_ticks, seq) AS price_ticks,
        arg_max(size, seq) AS size,
        arg_max(size_lots, seq) AS size_lots
    FROM order_amended
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
    place.turn,
    place.order_id,
    acked.venue_order_id,
    place.instrument,
    place.symbol,
    place.strategy,
    place.wallet,
    place.side,
    place.side_sign,
    place.level,
    coalesce(amended.price, place.price) AS price,
    coalesce(amended.price_ticks, place.price_ticks) AS price_ticks,
    coalesce(amended.size, place.size) AS size,
    coalesce(amended.size_lots, place.size_lots) AS size_lots,
    coalesce(filled.size, 0) AS filled,
    coalesce(filled.size_lots, 0) AS filled_lots,
    filled.price AS filled_price,
    coalesce(filled.fills, 0) AS fills,
    coalesce(filled.fee, 0) AS fee,
    CASE
        WHEN closing.status IS NOT NULL THEN closing.status
        WHEN standing.status IS NULL THEN 'pending_new'
        WHEN standing.status NOT IN ('open', 'partially_filled') THEN standing.status
        WHEN filled.fills > 0 THEN 'partially_filled'
        ELSE 'open'
    END AS status,
    place.time AS placed_at,
    place.time_ns AS placed_ns,
    moment(acked.acked_ns) AS acked_at,
    acked.acked_ns,
    moment(closing.closed_ns) AS closed_at,
    closing.closed_ns,
    closing.closed_seq,
    place.kind,
    place.tif,
    place.post_only,
    place.reduce_only,
    place.reason,
    refused.reason AS closed_reason,
    place.cause,
    place.archive
FROM order_place AS place
LEFT JOIN closing ON closing.archive = place.archive AND closing.order_id = place.order_id
LEFT JOIN standing ON standing.archive = place.archive AND standing.order_id = place.order_id
LEFT JOIN acked ON acked.archive = place.archive AND acked.order_id = place.order_id
LEFT JOIN amended ON amended.archive = place.archive AND amended.order_id = place.order_id
LEFT JOIN filled ON filled.archive = place.archive AND filled.order_id = place.order_id
LEFT JOIN refused ON refused.archive = place.archive AND refused.seq = closing.closed_seq
ORDER BY place.archive, place.seq;
