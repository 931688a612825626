// Who has friends but no history?
// Users without a single interaction who have friends, and what those friends like: whom to greet, and with what.
// columns: userId, createdAt, friends, friendsLike, recommended
// scans: User (a user without relationships is found by looking at every user)
MATCH (u:User)
WHERE NOT EXISTS { (u)-[:VIEWED|LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED]->() }
  AND 'analytics' IN u.consent
WITH u, COUNT { (u)-[:FRIEND]-() } AS friends
WHERE friends > 0
WITH u, friends ORDER BY friends DESC, u.userId LIMIT 25
RETURN u.userId AS userId, u.createdAt AS createdAt, friends, COLLECT {
         MATCH (u)-[:FRIEND]-(friend:User)-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED]->(i:Item)
         WHERE 'analytics' IN friend.consent AND i.category IS NOT NULL
         WITH i.category AS category, count(*) AS acts ORDER BY acts DESC, category LIMIT 3
         RETURN category
       } AS friendsLike, COUNT { (u)-[:RECOMMENDED]->() } AS recommended
ORDER BY friends DESC, userId
