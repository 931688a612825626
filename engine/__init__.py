"""Pure computation: arrays in, arrays out. No database, no queue, no HTTP."""
