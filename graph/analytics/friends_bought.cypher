// Friends bought it already
// A user's published recommendations that friends have bought: the ones to show with the friends' names.
// param userId: whose list; null takes the user whose shares reach most others
// columns: userId, rank, itemId, title, friends, lastBoughtAt, modelVersion
WITH null AS userId
OPTIONAL CALL () {
  MATCH (top:User)
  WHERE top.influenceScore > 0 AND 'analytics' IN top.consent
  RETURN top.userId AS topUserId ORDER BY top.influenceScore DESC LIMIT 1
}
MATCH (u:User {userId: coalesce(userId, topUserId)})-[r:RECOMMENDED]->(i:Item)
MATCH (u)-[:FRIEND]-(friend:User)-[bought:PURCHASED]->(i)
WHERE 'analytics' IN u.consent AND 'analytics' IN friend.consent
WITH u, r, i, friend, max(bought.occurredAt) AS boughtAt ORDER BY friend.userId
RETURN u.userId AS userId, r.rank AS rank, i.itemId AS itemId, i.title AS title, collect(friend.userId) AS friends,
       max(boughtAt) AS lastBoughtAt, r.modelVersion AS modelVersion
ORDER BY rank
