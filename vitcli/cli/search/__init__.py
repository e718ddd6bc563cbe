"""``vitcli search``: its words, and what fit's own parser says of them, above all other rooms of the command line."""
