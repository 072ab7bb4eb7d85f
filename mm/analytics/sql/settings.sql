-- From here on the database sees its own tables and nothing else: no file, no network, no variable
-- of ours, and no way back.
SET temp_directory = '';
SET python_enable_replacements = false;
SET enable_external_access = false;
SET lock_configuration = true;
