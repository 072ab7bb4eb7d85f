-- What a tick and a lot of an instrument are worth, as reduced fractions num / den. An instrument's
-- steps never change: another revision has other fees or limits.
CREATE TABLE _step AS
WITH atoms AS (
    SELECT *, in_atoms(tick_size) AS tick, in_atoms(lot_size) AS lot
    FROM _instrument_defined
    QUALIFY row_number() OVER (PARTITION BY archive, instrument ORDER BY seq) = 1
)
SELECT
    archive,
    instrument,
    venue || ':' || symbol AS name,
    kind,
    base,
    quote,
    settle,
    (tick // gcd(tick, atoms_in_one()))::DOUBLE AS tick_num,
    (atoms_in_one() // gcd(tick, atoms_in_one()))::DOUBLE AS tick_den,
    (lot // gcd(lot, atoms_in_one()))::DOUBLE AS lot_num,
    (atoms_in_one() // gcd(lot, atoms_in_one()))::DOUBLE AS lot_den,
    multiplier::DOUBLE AS multiplier,
    -- What one unit of `cost_units` is worth in the settlement currency: see `position`.
    CASE kind
        WHEN 'inverse' THEN lot_size::DOUBLE * multiplier::DOUBLE / tick_size::DOUBLE / 1e18
        ELSE tick_size::DOUBLE * lot_size::DOUBLE * multiplier::DOUBLE / 1e9
    END AS unit
FROM atoms;
