-- Our own resting bid and ask over time: a row after each turn in which an order of ours came to
-- rest, changed or left. An order rests from its ack until it is closed, with what is left of it.
CREATE VIEW quotes_own AS
WITH change AS (
    SELECT
        acked.archive, acked.order_id, acked.seq, acked.time_ns,
        place.price, place.price_ticks, place.size_lots, 0 AS fill_lots
    FROM order_acked AS acked
    JOIN order_place AS place
        ON place.archive = acked.archive AND place.order_id = acked.order_id
    QUALIFY row_number() OVER (PARTITION BY acked.archive, acked.order_id ORDER BY acked.seq) = 1
    UNION ALL
    SELECT archive, order_id, seq, time_ns, price, price_ticks, size_lots, 0 FROM order_amended
    UNION ALL
    SELECT archive, order_id, seq, time_ns, NULL, NULL, NULL, size_lots FROM _fill
), rest AS (
    SELECT
        change.archive, change.order_id, change.seq AS from_seq, change.time_ns,
        lead(change.seq) OVER sofar AS next_seq,
        last_value(change.price IGNORE NULLS) OVER sofar AS price,
        last_value(change.price_ticks IGNORE NULLS) OVER sofar AS price_ticks,
        last_value(change.size_lots IGNORE NULLS) OVER sofar
            - sum(change.fill_lots) OVER sofar AS leaves_lots
    FROM change
    WINDOW sofar AS (PARTITION BY change.archive, change.order_id ORDER BY change.seq)
), stay AS (
    SELECT
        orders.archive, orders.wallet, orders.strategy, orders.instrument,
        rest.from_seq,
        least(
            coalesce(rest.next_seq, 9223372036854775807),
            coalesce(orders.closed_seq, 9223372036854775807)
        ) AS until_seq,
        orders.side_sign, rest.price, rest.price_ticks, rest.leaves_lots
    FROM rest
    JOIN orders ON orders.archive = rest.archive AND orders.order_id = rest.order_id
    WHERE rest.leaves_lots > 0
        AND rest.price IS NOT NULL
        AND rest.from_seq < coalesce(orders.closed_seq, 9223372036854775807)
), change_at AS (
    -- Changes are numbered, so that an order is laid over those it sees without comparing all pairs.
    SELECT
        *,
        row_number() OVER account AS nth,
        count(*) OVER (PARTITION BY archive, wallet, strategy, instrument) AS changes
    FROM (
        SELECT archive, wallet, strategy, instrument, from_seq AS seq FROM stay
        UNION
        SELECT archive, wallet, strategy, instrument, until_seq FROM stay
        WHERE until_seq < 9223372036854775807
    )
    WINDOW account AS (PARTITION BY archive, wallet, strategy, instrument ORDER BY seq)
), seen AS (
    SELECT
        stay.*,
        unnest(range(entry.nth, coalesce(leave.nth, entry.changes + 1))) AS nth
    FROM stay
    JOIN change_at AS entry
        ON entry.archive = stay.archive
        AND entry.wallet = stay.wallet
        AND entry.strategy = stay.strategy
        AND entry.instrument = stay.instrument
        AND entry.seq = stay.from_seq
    LEFT JOIN change_at AS leave
        ON leave.archive = stay.archive
        AND leave.wallet = stay.wallet
        AND leave.strategy = stay.strategy
        AND leave.instrument = stay.instrument
        AND leave.seq = stay.until_seq
), standing AS (
    SELECT
        archive, wallet, strategy, instrument, nth,
        max(price_ticks) FILTER (side_sign > 0) AS bid_ticks,
        max(price) FILTER (side_sign > 0) AS bid,
        min(price_ticks) FILTER (side_sign < 0) AS ask_ticks,
        min(price) FILTER (side_sign < 0) AS ask,
        count(*) FILTER (side_sign > 0) AS bids,
        count(*) FILTER (side_sign < 0) AS asks,
        coalesce(sum(leaves_lots) FILTER (side_sign > 0), 0)::BIGINT AS bids_lots,
        coalesce(sum(leaves_lots) FILTER (side_sign < 0), 0)::BIGINT AS asks_lots
    FROM seen
    GROUP BY ALL
), placed AS (
    SELECT
        change_at.seq, turns.turn, turns.time, turns.time_ns,
        change_at.archive, change_at.wallet, change_at.strategy, change_at.instrument,
        standing.* EXCLUDE (archive, wallet, strategy, instrument, nth)
    FROM change_at
    LEFT JOIN standing
        ON standing.archive = change_at.archive
        AND standing.wallet = change_at.wallet
        AND standing.strategy = change_at.strategy
        AND standing.instrument = change_at.instrument
        AND standing.nth = change_at.nth
    ASOF JOIN turns ON turns.archive = change_at.archive AND change_at.seq >= turns.first_seq
    -- What came and went within one turn was never seen by anybody.
    QUALIFY row_number() OVER (
        PARTITION BY change_at.archive, change_at.wallet, change_at.strategy,
            change_at.instrument, turns.turn
        ORDER BY change_at.seq DESC
    ) = 1
)
SELECT
    placed.seq,
    placed.time,
    placed.bid,
    placed.ask,
    coalesce(placed.bids, 0) AS bids,
    coalesce(placed.asks, 0) AS asks,
    decimal_of(coalesce(placed.bids_lots, 0), step.lot_num, step.lot_den) AS bids_size,
    decimal_of(coalesce(placed.asks_lots, 0), step.lot_num, step.lot_den) AS asks_size,
    step.name AS symbol,
    placed.strategy,
    placed.wallet,
    placed.instrument,
    placed.turn,
    placed.time_ns,
    placed.bid_ticks,
    placed.ask_ticks,
    coalesce(placed.bids_lots, 0) AS bids_size_lots,
    coalesce(placed.asks_lots, 0) AS asks_size_lots,
    placed.archive
FROM placed
LEFT JOIN _step AS step
    ON step.archive = placed.archive
    AND step.instrument = placed.instrument
ORDER BY placed.archive, placed.seq;
