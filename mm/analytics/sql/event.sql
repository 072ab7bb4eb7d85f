-- The view of one kind of event; names and columns come from its struct.
CREATE VIEW {view} AS
SELECT
    event.seq,
    make_timestamp_ns(event.time) AS time,
    {columns},
    event.turn,
    event.index,
    event.time AS time_ns,
    event.archive
FROM {source} AS event
{step};
