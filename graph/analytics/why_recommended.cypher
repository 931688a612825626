// Why was this recommended?
// A recommendation with what speaks for it: similar items that the user acted on, and friends who acted on it.
// param userId: whose list; null takes the user whose shares reach most others
// param itemId: which item of the list; null takes the first
// columns: path, rank, reasons, modelVersion
// draws: path
WITH null AS userId, null AS itemId
OPTIONAL CALL () {
  MATCH (top:User)
  WHERE top.influenceScore > 0 AND 'analytics' IN top.consent
  RETURN top.userId AS topUserId ORDER BY top.influenceScore DESC LIMIT 1
}
MATCH (u:User {userId: coalesce(userId, topUserId)})-[r:RECOMMENDED]->(i:Item)
WHERE 'analytics' IN u.consent AND (i.itemId = itemId OR (itemId IS NULL AND r.rank = 1))
CALL (u, i) {
  MATCH path = (u)-[:RECOMMENDED]->(i)
  RETURN path
  UNION ALL
  MATCH path = (u)-[act:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED]->(near:Item)-[s:SIMILAR]-(i)
  WITH near, path, s.score AS score ORDER BY score DESC, type(act)
  WITH near, collect(path)[0] AS path, max(score) AS score ORDER BY score DESC, near.itemId LIMIT 6
  RETURN path
  UNION ALL
  MATCH path = (u)-[f:FRIEND]-(friend:User)-[act:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED]->(i)
  WHERE 'analytics' IN friend.consent
  WITH friend, path, f.strength AS strength ORDER BY type(act)
  WITH friend, collect(path)[0] AS path, max(strength) AS strength ORDER BY strength DESC, friend.userId LIMIT 6
  RETURN path
}
RETURN path, r.rank AS rank, r.reasons AS reasons, r.modelVersion AS modelVersion
