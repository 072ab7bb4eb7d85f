-- Every fill once, however often the venue told it: the first telling counts.
CREATE TABLE _fill AS
SELECT * FROM order_filled
QUALIFY row_number() OVER (PARTITION BY archive, instrument, fill_id ORDER BY seq) = 1
ORDER BY archive, seq;
