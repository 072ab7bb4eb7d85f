-- Fees paid (positive) and funding received, as they came, for each account and asset. Funding
-- belongs to whoever held the position: of several strategies, the one that traded first.
CREATE VIEW _account_money AS
WITH holder AS (
    SELECT
        funding_paid.archive, funding_paid.seq, account.strategy,
        row_number() OVER (
            PARTITION BY funding_paid.archive, funding_paid.seq ORDER BY account.first_seq
        ) AS nth
    FROM funding_paid
    JOIN (
        SELECT
            archive, wallet, instrument, strategy, seq, net_lots,
            min(seq) OVER account AS first_seq,
            lead(seq, 1, 9223372036854775807) OVER (account ORDER BY seq) AS until_seq
        FROM position
        WINDOW account AS (PARTITION BY archive, wallet, instrument, strategy)
    ) AS account
        ON account.archive = funding_paid.archive
        AND account.wallet = funding_paid.wallet
        AND account.instrument = funding_paid.instrument
        AND account.seq < funding_paid.seq
        AND account.until_seq > funding_paid.seq
        AND account.net_lots <> 0
)
SELECT
    archive, wallet, instrument, strategy, seq, time_ns,
    fee_asset AS asset,
    fee_exact::DECIMAL(38, 18) AS fee,
    0::DECIMAL(38, 18) AS funding
FROM _fill
UNION ALL
SELECT
    paid.archive, paid.wallet, paid.instrument, coalesce(holder.strategy, ''), paid.seq,
    paid.time_ns,
    paid.asset,
    0,
    paid.amount_exact::DECIMAL(38, 18)
FROM funding_paid AS paid
LEFT JOIN holder ON holder.archive = paid.archive AND holder.seq = paid.seq AND holder.nth = 1;
