"""Parts of the terminal that commands draw on the terminal: bars, tables, live lines."""
