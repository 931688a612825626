// upsert_users: creates or completes users; null removes a property; rows [userId, properties, createdMs, consent]
UNWIND $rows AS row
MERGE (u:User {userId: row[0]})
ON CREATE SET u.isNew = true
WITH row, u, u.isNew IS NOT NULL AS created, properties(u) AS before
SET u += row[1], u.isNew = null, u.stub = null, u.consent = coalesce(u.consent, row[3])
FOREACH (at IN CASE WHEN row[2] IS NULL THEN [] ELSE [datetime({epochMillis: row[2]})] END | SET u.createdAt = at)
FOREACH (_ IN CASE WHEN created AND $stampCreated THEN [1] ELSE [] END |
  SET u.createdAt = coalesce(u.createdAt, datetime()))
FOREACH (_ IN CASE WHEN created OR properties(u) <> before THEN [1] ELSE [] END |
  SET u.firstIngestedAt = coalesce(u.firstIngestedAt, u.ingestedAt), u.ingestedAt = datetime())
RETURN count(CASE WHEN created THEN 1 END) AS created

// upsert_items: creates or completes items; a null property is removed; rows [itemId, properties, createdMs]
UNWIND $rows AS row
MERGE (i:Item {itemId: row[0]})
ON CREATE SET i.isNew = true
WITH row, i, i.isNew IS NOT NULL AS created, properties(i) AS before
SET i += row[1], i.isNew = null, i.stub = null
FOREACH (at IN CASE WHEN row[2] IS NULL THEN [] ELSE [datetime({epochMillis: row[2]})] END | SET i.createdAt = at)
FOREACH (_ IN CASE WHEN created AND $stampCreated THEN [1] ELSE [] END |
  SET i.createdAt = coalesce(i.createdAt, datetime()))
FOREACH (_ IN CASE WHEN created OR properties(i) <> before THEN [1] ELSE [] END |
  SET i.firstIngestedAt = coalesce(i.firstIngestedAt, i.ingestedAt), i.ingestedAt = datetime())
RETURN count(CASE WHEN created THEN 1 END) AS created

// put_friends: states friendships as they are now, also ended ones; rows [userId, friendId, tieKey, ms, strength]
UNWIND $rows AS row
MATCH (a:User {userId: row[0]})
USING INDEX SEEK a:User(userId)
MATCH (b:User {userId: row[1]})
USING INDEX SEEK b:User(userId)
MERGE (a)-[f:FRIEND]->(b)
ON CREATE SET f.strength = 1.0, f.isNew = true
WITH row, f, f.isNew IS NOT NULL AS created, properties(f) AS before
SET f.isNew = null, f.strength = coalesce(row[4], f.strength)
FOREACH (at IN CASE WHEN row[3] IS NULL THEN [] ELSE [datetime({epochMillis: row[3]})] END | SET f.since = at)
FOREACH (_ IN CASE WHEN created OR properties(f) <> before THEN [1] ELSE [] END |
  SET f.firstIngestedAt = coalesce(f.firstIngestedAt, f.ingestedAt), f.ingestedAt = datetime())
WITH row, created
OPTIONAL MATCH (e:KithEndedTie {tieKey: row[2]})
USING INDEX SEEK e:KithEndedTie(tieKey)
DELETE e
RETURN count(CASE WHEN created THEN 1 END) AS created

// unknown_users: which of these users are not there
UNWIND $ids AS id
OPTIONAL MATCH (u:User {userId: id})
USING INDEX SEEK u:User(userId)
WITH id, u WHERE u IS NULL
RETURN id AS userId

// delete_friend: ends a friendship now
MATCH (a:User {userId: $userId})
USING INDEX SEEK a:User(userId)
MATCH (b:User {userId: $friendId})
USING INDEX SEEK b:User(userId)
SET a.userId = $userId
MERGE (e:KithEndedTie {tieKey: $tieKey})
SET e.endedAt = datetime(), e.userId = $userId, e.friendId = $friendId
WITH a, b
OPTIONAL MATCH (a)-[f:FRIEND]->(b)
DELETE f
RETURN count(f) AS deleted

// delete_user_edges: takes up to $limit relationships off a user
MATCH (u:User {userId: $id})-[r]-()
USING INDEX SEEK u:User(userId)
WITH r LIMIT $limit
DELETE r
RETURN count(r) AS deleted

// delete_item_edges: takes up to $limit relationships off an item
MATCH (i:Item {itemId: $id})-[r]-()
USING INDEX SEEK i:Item(itemId)
WITH r LIMIT $limit
DELETE r
RETURN count(r) AS deleted

// delete_user: deletes a user with the relationships that are left
MATCH (u:User {userId: $id})
USING INDEX SEEK u:User(userId)
DETACH DELETE u
RETURN count(*) AS deleted

// delete_item: deletes an item with the relationships that are left
MATCH (i:Item {itemId: $id})
USING INDEX SEEK i:Item(itemId)
DETACH DELETE i
RETURN count(*) AS deleted

// read_consent: the purposes that a user agreed to
MATCH (u:User {userId: $userId})
USING INDEX SEEK u:User(userId)
RETURN u.consent AS consent

// write_consents: states what users agree to; taken back: what is published about them goes; rows [userId, purposes]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
USING INDEX SEEK u:User(userId)
WHERE u.consent IS NULL OR u.consent <> row[1]
SET u.consent = row[1], u.firstIngestedAt = coalesce(u.firstIngestedAt, u.ingestedAt), u.ingestedAt = datetime()
FOREACH (_ IN CASE WHEN 'personalisation' IN row[1] THEN [] ELSE [1] END |
  SET u.embedding = null, u.embedding_a = null, u.embedding_b = null,
      u.build_a = null, u.build_b = null, u.modelVersion = null,
      u.recommendedItems_a = null, u.recommendedItems_b = null,
      u.recommendedScores_a = null, u.recommendedScores_b = null,
      u.recommendedReasons_a = null, u.recommendedReasons_b = null)
FOREACH (_ IN CASE WHEN 'sharing' IN row[1] THEN [] ELSE [1] END |
  SET u.influenceScore = null, u.influenceScore_a = null, u.influenceScore_b = null,
      u.influencePercentile = null, u.influencePercentile_a = null, u.influencePercentile_b = null,
      u.influenceError = null, u.influenceError_a = null, u.influenceError_b = null,
      u.influencesUsers_a = null, u.influencesUsers_b = null,
      u.influencesProbabilities_a = null, u.influencesProbabilities_b = null)
WITH row, u
CALL (row, u) {
  MATCH (u)-[r:RECOMMENDED]->() WHERE NOT 'personalisation' IN row[1]
  DELETE r
}
CALL (row, u) {
  MATCH (u)-[r:INFLUENCES|INFLUENTIAL_IN]-() WHERE NOT 'sharing' IN row[1]
  DELETE r
}
RETURN count(u) AS changed
