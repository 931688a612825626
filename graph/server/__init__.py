"""The local Neo4j: its lock, the jars, its configuration, start and stop."""
