// A cascade from its root share
// Up to twenty shares, nearest to the root first, each with its sharer. The number on a share is its depth.
// param rootShareId: which cascade; null takes the largest among the newest 20,000 shares
// columns: sharer, reshare, title
// draws: sharer, reshare
WITH null AS rootShareId
OPTIONAL CALL () {
  MATCH (s:Share)
  WHERE s.occurredAt IS NOT NULL
  WITH s ORDER BY s.occurredAt DESC LIMIT 20000
  RETURN s.rootShareId AS largest, count(*) AS size ORDER BY size DESC, largest LIMIT 1
}
MATCH (s:Share {rootShareId: coalesce(rootShareId, largest)})
WITH s ORDER BY s.depth, s.occurredAt, s.shareId LIMIT 20
MATCH (s)-[:OF_ITEM]->(i:Item)
OPTIONAL MATCH sharer = (u:User)-[:SHARED]->(s)
WHERE 'analytics' IN u.consent
OPTIONAL MATCH reshare = (s)-[:RESHARE_OF]->(:Share)
RETURN sharer, coalesce(reshare, s) AS reshare, i.title AS title
