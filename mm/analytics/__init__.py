"""The log as tables: questions in SQL over one archive or several."""
