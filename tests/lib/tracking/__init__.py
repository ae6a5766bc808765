"""A package, so that its file names may occur elsewhere in tests/ too."""
