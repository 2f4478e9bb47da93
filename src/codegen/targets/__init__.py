"""One file a target: a language, or a table that somebody reads."""
