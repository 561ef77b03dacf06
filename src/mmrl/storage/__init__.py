"""Storage of a home: its files, in a folder or in an object store, and its locks."""
