-- :create
CREATE TABLE IF NOT EXISTS trials (
    key VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    recording VARCHAR NOT NULL,
    "window" INTEGER NOT NULL,
    windows INTEGER NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    parameters JSON NOT NULL,
    status VARCHAR NOT NULL,
    error VARCHAR NOT NULL,
    currency VARCHAR,
    profit DECIMAL(38, 12),
    realised DECIMAL(38, 12),
    unrealised DECIMAL(38, 12),
    fees DECIMAL(38, 12),
    funding DECIMAL(38, 12),
    turnover DECIMAL(38, 12),
    orders BIGINT,
    fills BIGINT,
    sharpe DOUBLE,
    sharpe_error DOUBLE,
    sortino DOUBLE,
    drawdown DOUBLE,
    step BIGINT,
    changes DOUBLE[],
    digest VARCHAR NOT NULL,
    config_hash VARCHAR NOT NULL,
    rows_digest VARCHAR NOT NULL,
    code VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL
);

CREATE TABLE IF NOT EXISTS walk_forward (
    recording VARCHAR NOT NULL,
    "window" INTEGER NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    number INTEGER,
    parameters JSON,
    score_before DOUBLE,
    score DOUBLE,
    profit DECIMAL(38, 12)
);
-- :columns
SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'trials';
-- :add
ALTER TABLE trials ADD COLUMN "{name}" {type};
-- :widen
ALTER TABLE trials ALTER COLUMN "{name}" TYPE VARCHAR;
-- :forget
DELETE FROM trials WHERE key = ?;
-- :insert
INSERT INTO trials ({columns}) VALUES ({places});
-- :number
UPDATE trials SET number = ? WHERE key = ? AND number <> ?;
-- :read
SELECT
    key, status, error, digest, currency, profit, realised, unrealised, fees, funding, turnover,
    orders, fills, sharpe, sharpe_error, sortino, drawdown, step, changes, seconds
FROM trials
WHERE code = ?;
-- :forget_walk
DELETE FROM walk_forward;
-- :insert_walk
INSERT INTO walk_forward VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);
