// exercise_write: writes a few users, items and interactions into the throw-away server that trains the archive
UNWIND $users AS n
MERGE (u:User {userId: 'u' + toString(n)})
SET u.ix = n, u.consent = ['personalisation'], u.embedding_a = [x IN range(1, 64) | toFloat((n + x) % 7)]
MERGE (i:Item {itemId: 'i' + toString(n % 20)})
SET i.category = 'c' + toString(n % 3)
CREATE (u)-[:PURCHASED {eventId: toString(n), occurredAt: datetime(), ingestedAt: datetime()}]->(i)
RETURN count(*) AS written

// exercise_columns: reads them back column by column
CYPHER 25
MATCH (u:User)-[p:PURCHASED]->(i:Item)
WHERE NOT EXISTS { (u)-[:BLOCKED]->(:User) }
WITH i, collect(u.ix) AS users ORDER BY i.itemId LIMIT 10
RETURN i.itemId AS itemId, vector(users, size(users), INTEGER64) AS users

// exercise_nearest: asks the vector index
CYPHER 25
MATCH (u:User)
SEARCH u IN (VECTOR INDEX user_embedding_a FOR $vector LIMIT 5) SCORE AS score
RETURN u.userId AS userId, score
