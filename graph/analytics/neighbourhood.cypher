// A user's neighbourhood
// The user, the ten closest friends, their friendships, and up to six items that most of them like.
// param userId: who stands in the middle; null takes the user whose shares reach most others
// columns: path
// draws: path
WITH null AS userId
OPTIONAL CALL () {
  MATCH (top:User)
  WHERE top.influenceScore > 0 AND 'analytics' IN top.consent
  RETURN top.userId AS topUserId ORDER BY top.influenceScore DESC LIMIT 1
}
MATCH (u:User {userId: coalesce(userId, topUserId)})
WHERE 'analytics' IN u.consent
WITH u, [u] + COLLECT {
  MATCH (u)-[f:FRIEND]-(friend:User)
  WHERE 'analytics' IN friend.consent
  RETURN friend ORDER BY f.strength DESC, friend.userId LIMIT 10
} AS circle
CALL (circle) {
  UNWIND circle AS one
  MATCH path = (one)-[:FRIEND]->(other:User)
  WHERE other IN circle
  RETURN path
  UNION ALL
  UNWIND circle AS one
  MATCH (one)-[:LIKED|SAVED|PURCHASED]->(i:Item)
  WITH i, collect(DISTINCT one) AS likers
  WHERE size(likers) > 1
  WITH i, likers ORDER BY size(likers) DESC, i.itemId LIMIT 6
  UNWIND likers AS one
  MATCH path = (one)-[act:LIKED|SAVED|PURCHASED]->(i)
  WITH one, i, path ORDER BY type(act)
  WITH one, i, collect(path)[0] AS path
  RETURN path
}
RETURN path
