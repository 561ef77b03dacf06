"""Lance and LanceDB beneath the catalog: handles, inserts, files and their upkeep, errors."""
