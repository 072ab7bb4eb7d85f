-- The view of one kind of event; names and columns come from its struct.
CREATE VIEW {view} AS
SELECT
    event.seq,
    event.turn,
    event.index,
    make_timestamp_ns(event.time) AS time,
    event.time AS time_ns,
    {columns},
    event.archive
FROM {source} AS event
{step};
