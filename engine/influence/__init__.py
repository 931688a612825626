"""Who reaches whom: independent cascades, reverse-reachable sets, influence scores and seed sets."""
