"""What the steps share; each file is a noun. Imports point from steps to here."""
