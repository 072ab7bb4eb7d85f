-- How far a question is can be asked, and is not printed.
SET enable_progress_bar = true;
SET enable_progress_bar_print = false;
