// Similar items around one
// The twelve most similar items as published; the score stands in the table and on the relationship.
// param itemId: which item; null takes the first that has similar ones
// columns: path, title, category, score, modelVersion
// draws: path
WITH null AS itemId
OPTIONAL CALL () {
  MATCH (one:Item)
  WHERE one.itemId > '' AND EXISTS { (one)-[:SIMILAR]->() }
  RETURN one.itemId AS firstItemId ORDER BY firstItemId LIMIT 1
}
MATCH path = (:Item {itemId: coalesce(itemId, firstItemId)})-[s:SIMILAR]->(near:Item)
RETURN path, near.title AS title, near.category AS category, s.score AS score, s.modelVersion AS modelVersion
ORDER BY score DESC, near.itemId
LIMIT 12
