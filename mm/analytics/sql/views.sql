-- Every view that is meant for people, and its columns in order.
SELECT table_name AS view, column_name AS column, data_type AS type
FROM duckdb_columns()
WHERE schema_name = 'main' AND NOT internal AND NOT starts_with(table_name, '_')
ORDER BY table_name, column_index;
