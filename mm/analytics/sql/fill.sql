-- Every fill once, however often the venue told it: the first telling counts. A fill without an id is
-- booked whenever it is told.
CREATE TABLE _fill AS
SELECT * FROM order_filled
QUALIFY fill_id = '' OR row_number() OVER (
    PARTITION BY archive, wallet, instrument, side_sign, fill_id ORDER BY seq
) = 1
ORDER BY archive, seq;
