-- How long each hop took, one row a measurement. `feed` compares two clocks and may be negative.
CREATE VIEW latency AS
SELECT 'feed: venue to us' AS hop, seq, time, received_ns - venue_time_ns AS took_ns, archive
FROM quote
WHERE venue_time_ns <> 0
UNION ALL
SELECT 'feed: received to turn', seq, time, time_ns - received_ns, archive
FROM quote
UNION ALL
SELECT
    'place: decided to sent', sent.seq, sent.time, sent.sent_ns - place.time_ns, sent.archive
FROM order_submitted AS sent
JOIN order_place AS place ON place.archive = sent.archive AND place.order_id = sent.order_id
WHERE sent.command = 'place'
UNION ALL
SELECT
    'place: sent to acked', acked.seq, acked.time, acked.received_ns - sent.sent_ns,
    acked.archive
FROM order_acked AS acked
JOIN order_submitted AS sent ON sent.archive = acked.archive AND sent.order_id = acked.order_id
WHERE sent.command = 'place'
UNION ALL
SELECT
    'cancel: sent to canceled', gone.seq, gone.time, gone.received_ns - sent.sent_ns,
    gone.archive
FROM order_canceled AS gone
JOIN order_submitted AS sent ON sent.archive = gone.archive AND sent.order_id = gone.order_id
WHERE sent.command = 'cancel';
