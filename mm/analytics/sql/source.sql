-- The rows of one kind as they are in the files of one archive or several. What is small is loaded,
-- since the planner then knows how small; the rest stays in the files.

-- :laid
CREATE VIEW {source} AS {parts}

-- :loaded
CREATE TABLE {source} AS {parts}

-- :part
SELECT *, '{archive}' AS archive FROM {table}

-- :joint
UNION ALL BY NAME

-- :known
CREATE TABLE {name} AS SELECT * FROM {table}
