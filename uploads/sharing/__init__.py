"""How originals leave the house: links by which anybody may see one, and zips of several."""
