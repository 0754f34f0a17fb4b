"""The forms of a card: a table in the terminal, JUnit XML, an HTML page, a badge."""
