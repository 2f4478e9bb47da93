"""The formulas as nodes, and the nodes as the text of every target."""
