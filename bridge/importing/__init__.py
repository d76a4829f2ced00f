"""Other programs' configurations, turned into ours: nothing in them is dropped without a word."""
