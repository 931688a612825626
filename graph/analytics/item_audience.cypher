// Who would want an item?
// Users on whose published list an item stands, who have not bought it, with the friends who have not met it yet.
// param itemId: which item; null takes the first that stands on a list
// columns: userId, rank, score, influenceScore, friends, reach, modelVersion
CYPHER 25
WITH null AS itemId
OPTIONAL CALL () {
  MATCH (one:Item)
  WHERE one.itemId > '' AND EXISTS { (one)<-[:RECOMMENDED]-() }
  RETURN one.itemId AS firstItemId ORDER BY firstItemId LIMIT 1
}
MATCH (i:Item {itemId: coalesce(itemId, firstItemId)})
MATCH (u:User)-[r:RECOMMENDED]->(i)
WHERE 'analytics' IN u.consent AND NOT EXISTS { (u)-[:PURCHASED|HIDDEN]->(i) }
WITH i, u, r ORDER BY r.score DESC, u.userId LIMIT 25
RETURN u.userId AS userId, r.rank AS rank, round(r.score, 4) AS score, u.influenceScore AS influenceScore,
       COUNT {
         MATCH (u)-[:FRIEND]-(friend:User)
         WHERE 'analytics' IN friend.consent
       } AS friends,
       COUNT {
         MATCH (u)-[:FRIEND]-(friend:User)
         WHERE 'analytics' IN friend.consent
           AND NOT EXISTS { (friend)-[:VIEWED|LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED|HIDDEN]->(i) }
       } AS reach, r.modelVersion AS modelVersion
ORDER BY score DESC, userId
