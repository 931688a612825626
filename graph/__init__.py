"""Everything that speaks to Neo4j or to data files."""
