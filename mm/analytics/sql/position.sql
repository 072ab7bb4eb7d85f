-- The position after each fill, by average cost: net size, average entry, realised profit.
-- `cost_units` and `realised_units` are exact integers: billionths of a tick times a lot (linear,
-- spot) or 1e-18 of lots divided by ticks (inverse). A fill that turns a position over is two
-- parts, a close and an open, worth together what the fill is. The fold runs over all stretches between two flat positions at
-- once, so that it takes as many steps as the longest of them has parts.
CREATE VIEW position AS
WITH RECURSIVE fill AS (
    SELECT
        _fill.archive, _fill.wallet, _fill.instrument, _fill.strategy, _fill.seq,
        _fill.price_ticks::HUGEINT AS price,
        _fill.size_lots::HUGEINT AS size,
        _fill.side_sign::HUGEINT AS sign,
        step.kind = 'inverse' AS inverse,
        sum(_fill.side_sign * _fill.size_lots::HUGEINT) OVER account
            - _fill.side_sign * _fill.size_lots::HUGEINT AS net_before
    FROM _fill
    LEFT JOIN _step AS step
        ON step.archive = _fill.archive
        AND step.instrument = _fill.instrument
    WINDOW account AS (
        PARTITION BY _fill.archive, _fill.wallet, _fill.instrument, _fill.strategy
        ORDER BY _fill.seq
    )
), part AS (
    -- Closing: what a fill takes from the position it meets. Opening: what it adds to one.
    SELECT
        * REPLACE (least(size, abs(net_before)) AS size),
        worth(inverse, price, least(size, abs(net_before))) AS worth,
        1 AS half,
        false AS adds
    FROM fill
    WHERE net_before * sign < 0
    UNION ALL
    SELECT
        * REPLACE (
            if(net_before * sign < 0, size - abs(net_before), size) AS size,
            if(net_before * sign < 0, 0, net_before) AS net_before
        ),
        CASE WHEN net_before * sign < 0
            THEN worth(inverse, price, size) - worth(inverse, price, abs(net_before))
            ELSE worth(inverse, price, size)
        END AS worth,
        2 AS half,
        true AS adds
    FROM fill
    WHERE net_before * sign >= 0 OR size > abs(net_before)
), stretched AS (
    SELECT
        *,
        abs(net_before) AS held,
        sum(CASE WHEN net_before = 0 THEN 1 ELSE 0 END) OVER (
            PARTITION BY archive, wallet, instrument, strategy ORDER BY seq, half
        ) AS stretch
    FROM part
), numbered AS (
    SELECT
        *,
        dense_rank() OVER (ORDER BY archive, wallet, instrument, strategy, stretch) AS run,
        row_number() OVER (
            PARTITION BY archive, wallet, instrument, strategy, stretch ORDER BY seq, half
        ) AS nth
    FROM stretched
), folded AS (
    SELECT run, nth, worth AS cost, 0::HUGEINT AS gain
    FROM numbered
    WHERE nth = 1
    UNION ALL
    SELECT
        numbered.run,
        numbered.nth,
        CASE WHEN numbered.adds
            THEN folded.cost + numbered.worth
            ELSE folded.cost - rounded(folded.cost * numbered.size, numbered.held)
        END,
        CASE WHEN numbered.adds
            THEN 0
            -- Closing sells what was long; an inverse contract gains in coin the other way round.
            ELSE (numbered.worth - rounded(folded.cost * numbered.size, numbered.held))
                * if(numbered.inverse, numbered.sign, -numbered.sign)
        END
    FROM folded
    JOIN numbered ON numbered.run = folded.run AND numbered.nth = folded.nth + 1
), known AS (
    SELECT
        numbered.archive, numbered.seq, numbered.half,
        folded.cost,
        sum(folded.gain) OVER (
            PARTITION BY archive, wallet, instrument, strategy ORDER BY seq, half
        ) AS realised
    FROM numbered
    JOIN folded ON folded.run = numbered.run AND folded.nth = numbered.nth
), after_fill AS (
    SELECT * FROM known
    QUALIFY row_number() OVER (PARTITION BY archive, seq ORDER BY half DESC) = 1
)
SELECT
    _fill.seq,
    _fill.time,
    decimal_of(fill.net_before + fill.sign * fill.size, step.lot_num, step.lot_den) AS net,
    CASE
        WHEN fill.net_before + fill.sign * fill.size = 0 THEN NULL
        WHEN fill.inverse THEN
            decimal_of(
                abs(fill.net_before + fill.sign * fill.size)::DOUBLE * 1e18 / after_fill.cost,
                step.tick_num, step.tick_den
            )
        ELSE
            decimal_of(
                after_fill.cost::DOUBLE / (abs(fill.net_before + fill.sign * fill.size) * 1e9),
                step.tick_num, step.tick_den
            )
    END AS entry,
    after_fill.realised::DOUBLE * step.unit AS realised,
    step.settle,
    _fill.side,
    _fill.price,
    _fill.size,
    _fill.symbol,
    _fill.strategy,
    _fill.wallet,
    _fill.order_id,
    _fill.fill_id,
    _fill.instrument,
    _fill.turn,
    _fill.time_ns,
    (fill.net_before + fill.sign * fill.size)::BIGINT AS net_lots,
    after_fill.cost AS cost_units,
    after_fill.realised AS realised_units,
    _fill.archive
FROM _fill
JOIN fill ON fill.archive = _fill.archive AND fill.seq = _fill.seq
JOIN after_fill ON after_fill.archive = _fill.archive AND after_fill.seq = _fill.seq
LEFT JOIN _step AS step
    ON step.archive = _fill.archive
    AND step.instrument = _fill.instrument
ORDER BY _fill.archive, _fill.seq;
