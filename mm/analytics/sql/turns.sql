-- Every turn: how many facts and decisions, whether it touches orders or control, and its hash.
CREATE VIEW turns AS
SELECT
    number AS turn,
    make_timestamp_ns(time) AS time,
    time AS time_ns,
    first AS first_seq,
    n_facts,
    n_decisions,
    orders AS touches_orders,
    lower(hex(hash)) AS hash,
    version,
    archive
FROM _turns;
