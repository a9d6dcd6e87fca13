"""A small purchase backend behind the waiting room, with a database of its own."""
