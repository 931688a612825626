"""Who shares next in a running cascade."""
