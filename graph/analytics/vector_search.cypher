// Nearest in the embedding
// Vector search from one item's embedding through the live version's index, whatever the category.
// param itemId: which item; null takes the first that has an embedding
// columns: itemId, title, category, similarity, modelVersion
CYPHER 25
WITH null AS itemId
OPTIONAL CALL () {
  MATCH (one:Item)
  WHERE one.itemId > '' AND one.embedding IS NOT NULL
  RETURN one.itemId AS firstItemId ORDER BY firstItemId LIMIT 1
}
MATCH (i:Item {itemId: coalesce(itemId, firstItemId)})
MATCH (p:Published {key: 'live'})
// A vector index belongs to one of the two slots that a version can live in, so both are named here.
CALL (i, p) {
  FILTER p.slot = 'a'
  MATCH (near:Item) SEARCH near IN (VECTOR INDEX item_embedding_a FOR i.embedding_a LIMIT 21) SCORE AS similarity
  FILTER near.build_a = p.build
  RETURN near, similarity
  UNION ALL
  FILTER p.slot = 'b'
  MATCH (near:Item) SEARCH near IN (VECTOR INDEX item_embedding_b FOR i.embedding_b LIMIT 21) SCORE AS similarity
  FILTER near.build_b = p.build
  RETURN near, similarity
}
WITH i, p, near, similarity
WHERE near <> i
RETURN near.itemId AS itemId, near.title AS title, near.category AS category, round(similarity, 3) AS similarity,
       p.modelVersion AS modelVersion
ORDER BY similarity DESC, itemId
LIMIT 20
