-- How a field of an event becomes columns, by what it measures. {name} is the field, {out} its name
-- in the view, which differs where SQL reserves the word.

-- :plain
event.{name} AS {out}

-- :moment
moment(event.{name}) AS {out}, event.{name} AS {out}_ns

-- :duration
seconds(event.{name}) AS {out}_seconds, event.{name} AS {out}_ns

-- :ticks
decimal_of(event.{name}, step.tick_num, step.tick_den) AS {out}, event.{name} AS {out}_ticks

-- :lots
decimal_of(event.{name}, step.lot_num, step.lot_den) AS {out}, event.{name} AS {out}_lots

-- :levels
decimals_of(event.{name}_price, step.tick_num, step.tick_den) AS {out}_price,
    event.{name}_price AS {out}_price_ticks,
    decimals_of(event.{name}_size, step.lot_num, step.lot_den) AS {out}_size,
    event.{name}_size AS {out}_size_lots

-- :decimal
event.{name}::DOUBLE AS {out}, event.{name} AS {out}_exact

-- :side
side_name(event.{name}) AS {out}, event.{name} AS {out}_sign

-- :instrument
event.{name} AS {out}, step.name AS symbol

-- :join
LEFT JOIN _step AS step
    ON step.archive = event.archive
    AND step.instrument = event.instrument
