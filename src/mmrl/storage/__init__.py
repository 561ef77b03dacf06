"""Where a home lies: its files, in a folder or in an object store, and its locks."""
