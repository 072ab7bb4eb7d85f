-- A join to the latest row before is never a loop over all pairs, whatever the planner expects.
SET asof_loop_join_threshold = 0;
SET autoinstall_known_extensions = false;
SET autoload_known_extensions = false;

-- Nanoseconds since 1970 as a moment; 0 means that nobody stamped it.
CREATE MACRO moment(ns) AS make_timestamp_ns(nullif(ns, 0));
CREATE MACRO seconds(ns) AS ns / 1e9;
CREATE MACRO side_name(side) AS CASE side WHEN 1 THEN 'buy' WHEN -1 THEN 'sell' END;

-- Whole steps as a number: the product is exact up to 2^53, so that the quotient is the double
-- nearest to the exact decimal.
CREATE MACRO decimal_of(count, num, den) AS count::DOUBLE * num / den;
CREATE MACRO decimals_of(counts, num, den) AS
    list_transform(counts, lambda count: count::DOUBLE * num / den);

-- Nearest integer of a quotient of positive integers, halves up: as the fold of positions rounds.
CREATE MACRO rounded(numerator, denominator) AS
    (2 * numerator + denominator) // (2 * denominator);

-- One, as a fraction of 1e18.
CREATE MACRO atoms_in_one() AS 1000000000000000000::HUGEINT;

-- What a fill is worth in units of cost: see `position`.
CREATE MACRO worth(inverse, price, size) AS
    CASE WHEN inverse THEN rounded(size * atoms_in_one(), price) ELSE price * size * 1000000000 END;

-- An exact decimal text as a fraction of 1e18.
CREATE MACRO in_atoms(digits) AS replace(digits::DECIMAL(38, 18)::VARCHAR, '.', '')::HUGEINT;
