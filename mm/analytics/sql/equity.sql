-- Profit of each account (wallet, instrument, strategy) over time: a row at each fill and funding
-- payment, and at the last quote of each second from the account's first order on.
-- total = realised + unrealised - fees + funding, in the settlement currency; fees in the base
-- asset count at the price. Valued as the ledger does, at the venue's mark where there is one,
-- else at the mid; the columns `…_at_mid` always at the mid. Exact integers: see `position`.
CREATE VIEW equity AS
WITH account AS (
    SELECT archive, wallet, instrument, strategy, min(seq) AS first_seq
    FROM (
        SELECT archive, wallet, instrument, strategy, seq FROM order_place
        UNION ALL
        SELECT archive, wallet, instrument, strategy, seq FROM _account_money
    )
    GROUP BY ALL
), tick AS (
    SELECT archive, instrument, max(seq) AS seq, max(time_ns) AS time_ns
    FROM top
    GROUP BY archive, instrument, time_ns // 1000000000
), point AS (
    SELECT account.archive, account.wallet, account.instrument, account.strategy,
        tick.seq, tick.time_ns
    FROM account
    JOIN tick
        ON tick.archive = account.archive
        AND tick.instrument = account.instrument
        AND tick.seq >= account.first_seq
    UNION
    SELECT archive, wallet, instrument, strategy, seq, time_ns FROM _account_money
), money AS (
    SELECT
        source.archive, source.wallet, source.instrument, source.strategy, source.seq,
        sum(if(source.asset = step.settle, source.fee, 0)) OVER sofar AS fees_settle,
        sum(if(source.asset = step.base AND step.base <> step.settle, source.fee, 0))
            OVER sofar AS fees_base,
        sum(if(source.asset = step.settle, source.funding, 0)) OVER sofar AS funding_settle,
        sum(if(source.asset = step.base AND step.base <> step.settle, source.funding, 0))
            OVER sofar AS funding_base
    FROM _account_money AS source
    LEFT JOIN _step AS step
        ON step.archive = source.archive
        AND step.instrument = source.instrument
    WINDOW sofar AS (
        PARTITION BY source.archive, source.wallet, source.instrument, source.strategy
        ORDER BY source.seq
    )
), held AS (
    SELECT
        point.*,
        coalesce(position.net_lots, 0) AS net_lots,
        coalesce(position.net, 0) AS net,
        position.entry,
        coalesce(position.cost_units, 0) AS cost_units,
        coalesce(position.realised_units, 0) AS realised_units
    FROM point
    ASOF LEFT JOIN position
        ON position.archive = point.archive
        AND position.wallet = point.wallet
        AND position.instrument = point.instrument
        AND position.strategy = point.strategy
        AND point.seq >= position.seq
), paid AS (
    SELECT
        held.*,
        coalesce(money.fees_settle, 0) AS fees_settle,
        coalesce(money.fees_base, 0) AS fees_base,
        coalesce(money.funding_settle, 0) AS funding_settle,
        coalesce(money.funding_base, 0) AS funding_base
    FROM held
    ASOF LEFT JOIN money
        ON money.archive = held.archive
        AND money.wallet = held.wallet
        AND money.instrument = held.instrument
        AND money.strategy = held.strategy
        AND held.seq >= money.seq
), quoted AS (
    SELECT paid.*, top.mid, top.bid_ticks + top.ask_ticks AS mid_halves
    FROM paid
    ASOF LEFT JOIN top
        ON top.archive = paid.archive
        AND top.instrument = paid.instrument
        AND paid.seq >= top.seq
), marked AS (
    SELECT quoted.*, mark.price AS mark, coalesce(mark.price, quoted.mid) AS price
    FROM quoted
    ASOF LEFT JOIN mark
        ON mark.archive = quoted.archive
        AND mark.instrument = quoted.instrument
        AND quoted.seq >= mark.seq
), valued AS (
    SELECT
        marked.*,
        step.name AS symbol,
        step.settle,
        step.unit,
        CASE
            WHEN marked.net_lots = 0 THEN 0
            WHEN step.kind = 'inverse' THEN
                sign(marked.net_lots) * (
                    marked.cost_units::DOUBLE
                    - abs(marked.net_lots) * 1e18 / (marked.price * step.tick_den / step.tick_num)
                )
            ELSE
                sign(marked.net_lots) * (
                    marked.price * step.tick_den / step.tick_num * abs(marked.net_lots) * 1e9
                    - marked.cost_units::DOUBLE
                )
        END AS open_units,
        CASE
            WHEN marked.mid IS NULL THEN NULL
            WHEN marked.net_lots = 0 THEN 0
            WHEN step.kind = 'inverse' THEN
                sign(marked.net_lots) * (
                    marked.cost_units
                    - rounded(2 * abs(marked.net_lots) * atoms_in_one(), marked.mid_halves)
                )
            ELSE
                sign(marked.net_lots) * (
                    marked.mid_halves::HUGEINT * abs(marked.net_lots) * 500000000
                    - marked.cost_units
                )
        END::HUGEINT AS unrealised_at_mid_units
    FROM marked
    LEFT JOIN _step AS step
        ON step.archive = marked.archive
        AND step.instrument = marked.instrument
), summed AS (
    SELECT
        *,
        realised_units::DOUBLE * unit AS realised,
        open_units * unit AS unrealised,
        unrealised_at_mid_units::DOUBLE * unit AS unrealised_at_mid,
        fees_settle::DOUBLE + CASE fees_base WHEN 0 THEN 0 ELSE fees_base::DOUBLE * price END
            AS fees,
        funding_settle::DOUBLE
            + CASE funding_base WHEN 0 THEN 0 ELSE funding_base::DOUBLE * price END AS funding
    FROM valued
)
SELECT
    seq,
    make_timestamp_ns(time_ns) AS time,
    net,
    entry,
    price,
    realised,
    unrealised,
    fees,
    funding,
    realised + unrealised - fees + funding AS total,
    settle,
    mid,
    mark,
    unrealised_at_mid,
    realised + unrealised_at_mid - fees + funding AS total_at_mid,
    symbol,
    strategy,
    wallet,
    instrument,
    time_ns,
    net_lots,
    cost_units,
    realised_units,
    unrealised_at_mid_units,
    archive
FROM summed
ORDER BY archive, seq;
