-- Everything that was asked or said of an order by its id, as the lifecycle's table names it. A fill
-- that leaves nothing is told apart.
CREATE VIEW _order_answer AS
WITH sized AS (
    SELECT archive, order_id, seq, size_lots, 0 AS fill_lots FROM order_place
    UNION ALL
    SELECT archive, order_id, seq, size_lots, 0 FROM order_amended
    UNION ALL
    SELECT archive, order_id, seq, NULL, size_lots FROM _fill
), filling AS (
    SELECT
        archive, order_id, seq, fill_lots,
        sum(fill_lots) OVER sofar AS filled_lots,
        last_value(size_lots IGNORE NULLS) OVER sofar AS size_lots
    FROM sized
    WINDOW sofar AS (PARTITION BY archive, order_id ORDER BY seq)
)
SELECT archive, order_id, seq, time_ns, 'order.submitted' AS answer FROM order_submitted
UNION ALL
SELECT archive, order_id, seq, time_ns, 'order.acked' FROM order_acked
UNION ALL
SELECT archive, order_id, seq, time_ns, 'order.rejected' FROM order_rejected
UNION ALL
SELECT archive, order_id, seq, time_ns, 'order.amend' FROM order_amend
UNION ALL
SELECT archive, order_id, seq, time_ns, 'order.amended' FROM order_amended
UNION ALL
SELECT archive, order_id, seq, time_ns, 'amend.rejected' FROM amend_rejected
UNION ALL
SELECT archive, order_id, seq, time_ns, 'order.cancel' FROM order_cancel
UNION ALL
SELECT archive, order_id, seq, time_ns, 'order.canceled' FROM order_canceled
UNION ALL
SELECT archive, order_id, seq, time_ns, 'cancel.rejected' FROM cancel_rejected
UNION ALL
SELECT archive, order_id, seq, time_ns, 'order.expired' FROM order_expired
UNION ALL
SELECT archive, order_id, seq, time_ns, 'order.uncertain' FROM order_uncertain
UNION ALL
SELECT archive, order_id, seq, time_ns, 'order.resolved ' || resolution FROM order_resolved
UNION ALL
SELECT
    filling.archive, filling.order_id, filling.seq, _fill.time_ns,
    CASE WHEN filled_lots >= filling.size_lots THEN 'order.filled whole' ELSE 'order.filled' END
FROM filling
JOIN _fill ON _fill.archive = filling.archive AND _fill.seq = filling.seq;
