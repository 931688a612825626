"""The commands, one module per noun; each has `register(commands)`."""
