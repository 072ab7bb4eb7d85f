-- Fees paid (positive) and funding received, as they came, for each account and asset. Funding
-- belongs to whoever held the position: of several strategies, the one that traded first. What was
-- told twice counts once.
CREATE VIEW _account_money AS
WITH payment AS (
    SELECT * FROM funding_paid
    QUALIFY (payment_id = '' AND due_ns = 0) OR row_number() OVER (
        PARTITION BY archive, wallet, instrument, asset, payment_id, due_ns ORDER BY seq
    ) = 1
), holder AS (
    SELECT
        payment.archive, payment.seq, account.strategy,
        row_number() OVER (
            PARTITION BY payment.archive, payment.seq ORDER BY account.first_seq
        ) AS nth
    FROM payment
    JOIN (
        SELECT
            archive, wallet, instrument, strategy, seq, net_lots,
            min(seq) OVER account AS first_seq,
            lead(seq, 1, 9223372036854775807) OVER (account ORDER BY seq) AS until_seq
        FROM position
        WINDOW account AS (PARTITION BY archive, wallet, instrument, strategy)
    ) AS account
        ON account.archive = payment.archive
        AND account.wallet = payment.wallet
        AND account.instrument = payment.instrument
        AND account.seq < payment.seq
        AND account.until_seq > payment.seq
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
FROM payment AS paid
LEFT JOIN holder ON holder.archive = paid.archive AND holder.seq = paid.seq AND holder.nth = 1;
