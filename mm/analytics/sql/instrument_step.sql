-- What a tick and a lot of an instrument are worth, for each revision and the events it is for.
-- Events before the first definition are read by it. Steps are reduced fractions num / den.
CREATE TABLE _step AS
WITH atoms AS (
    SELECT
        *,
        in_atoms(tick_size) AS tick,
        in_atoms(lot_size) AS lot,
        row_number() OVER revisions AS nth,
        lead(seq) OVER revisions AS next_seq
    FROM _instrument_defined
    WINDOW revisions AS (PARTITION BY archive, instrument ORDER BY seq)
)
SELECT
    archive,
    instrument,
    venue || ':' || symbol AS name,
    kind,
    base,
    quote,
    settle,
    CASE nth WHEN 1 THEN 0 ELSE seq END AS from_seq,
    coalesce(next_seq, 9223372036854775807) AS until_seq,
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
