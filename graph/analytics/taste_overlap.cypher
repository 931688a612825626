// Do friends' tastes overlap?
// A user's friends by the items that both like, out of all that either likes, and how near the model puts them.
// param userId: whose friends; null takes the user whose shares reach most others
// columns: userId, friendId, strength, own, theirs, both, overlapPercent, similarity, examples
WITH null AS userId
OPTIONAL CALL () {
  MATCH (top:User)
  WHERE top.influenceScore > 0 AND 'analytics' IN top.consent
  RETURN top.userId AS topUserId ORDER BY top.influenceScore DESC LIMIT 1
}
MATCH (u:User {userId: coalesce(userId, topUserId)})
WHERE 'analytics' IN u.consent
WITH u, COLLECT { MATCH (u)-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED]->(i:Item) RETURN DISTINCT i } AS mine
MATCH (u)-[f:FRIEND]-(friend:User)
WHERE 'analytics' IN friend.consent
WITH u, f, friend, mine,
     COLLECT {
       MATCH (friend)-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED]->(i:Item)
       RETURN DISTINCT i ORDER BY i.itemId
     } AS liked
WHERE size(mine) + size(liked) > 0
WITH u, f, friend, size(mine) AS own, size(liked) AS theirs, [i IN liked WHERE i IN mine] AS common
RETURN u.userId AS userId, friend.userId AS friendId, f.strength AS strength, own, theirs, size(common) AS both,
       round(100.0 * size(common) / (own + theirs - size(common)), 1) AS overlapPercent,
       round(vector.similarity.cosine(u.embedding, friend.embedding), 3) AS similarity,
       [i IN common | coalesce(i.title, i.itemId)][..3] AS examples
ORDER BY overlapPercent DESC, strength DESC, friendId
LIMIT 25
