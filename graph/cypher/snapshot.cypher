// watermark: the whole second that lies $lag_s before the server's clock
RETURN datetime.realtime().epochSeconds - $lag_s AS watermarkS

// number_users: gives a dense index to users who have none; a concurrent run gives no number twice
MATCH (u:User)
WHERE u.ix IS NULL
CALL (u) {
  MERGE (s:KithSequence {key: 'User'})
  SET s.next = coalesce(s.next, 0) + 1
  WITH u, s WHERE u.ix IS NULL
  SET u.ix = s.next - 1
} IN TRANSACTIONS OF 5000 ROWS

// number_items: gives a dense index to items that have none
MATCH (i:Item)
WHERE i.ix IS NULL
CALL (i) {
  MERGE (s:KithSequence {key: 'Item'})
  SET s.next = coalesce(s.next, 0) + 1
  WITH i, s WHERE i.ix IS NULL
  SET i.ix = s.next - 1
} IN TRANSACTIONS OF 5000 ROWS

// number_shares: gives a dense index to shares that have none
MATCH (c:Share)
WHERE c.ix IS NULL
CALL (c) {
  MERGE (s:KithSequence {key: 'Share'})
  SET s.next = coalesce(s.next, 0) + 1
  WITH c, s WHERE c.ix IS NULL
  SET c.ix = s.next - 1
} IN TRANSACTIONS OF 5000 ROWS

// bounds: one more than the largest dense index of each label
CALL () { OPTIONAL MATCH (u:User) WHERE u.ix >= 0 RETURN coalesce(max(u.ix) + 1, 0) AS users }
CALL () { OPTIONAL MATCH (i:Item) WHERE i.ix >= 0 RETURN coalesce(max(i.ix) + 1, 0) AS items }
CALL () { OPTIONAL MATCH (c:Share) WHERE c.ix >= 0 RETURN coalesce(max(c.ix) + 1, 0) AS shares }
RETURN users, items, shares

// user_attributes: which free properties users have, and of which types
MATCH (n:User)
UNWIND [key IN keys(n) WHERE NOT key IN $names AND none(prefix IN $prefixes WHERE key STARTS WITH prefix)] AS key
RETURN key, collect(DISTINCT valueType(n[key])) AS types ORDER BY key LIMIT $limit

// item_attributes: which free properties items have, and of which types
MATCH (n:Item)
UNWIND [key IN keys(n) WHERE NOT key IN $names AND none(prefix IN $prefixes WHERE key STARTS WITH prefix)] AS key
RETURN key, collect(DISTINCT valueType(n[key])) AS types ORDER BY key LIMIT $limit

// users: consenting users of a range and their attributes, one list per column
CYPHER 25
MATCH (n:User)
WHERE n.ix >= $low AND n.ix < $high AND 'personalisation' IN n.consent
  AND (n.ingestedAt <= $watermark OR n.firstIngestedAt <= $watermark OR n.ingestedAt IS NULL)
WITH collect(n) AS nodes
RETURN [n IN nodes | n.ix] AS ix, [n IN nodes | n.userId] AS ids, [n IN nodes | 'sharing' IN n.consent] AS sharing,
       [key IN $values | [n IN nodes | n[key]]] AS values,
       [key IN $texts | [n IN nodes | toStringOrNull(n[key])]] AS texts,
       [key IN $times | [n IN nodes | n[key].epochSeconds]] AS times

// items: items of a range and their attributes, one list per column
CYPHER 25
MATCH (n:Item)
WHERE n.ix >= $low AND n.ix < $high
  AND (n.ingestedAt <= $watermark OR n.firstIngestedAt <= $watermark OR n.ingestedAt IS NULL)
WITH collect(n) AS nodes
RETURN [n IN nodes | n.ix] AS ix, [n IN nodes | n.itemId] AS ids,
       [key IN $values | [n IN nodes | n[key]]] AS values,
       [key IN $texts | [n IN nodes | toStringOrNull(n[key])]] AS texts,
       [key IN $times | [n IN nodes | n[key].epochSeconds]] AS times

// interactions: what users of a range did with items, as vectors; $codes numbers the types
CYPHER 25
MATCH (u:User)
WHERE u.ix >= $low AND u.ix < $high
MATCH (u)-[r:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|HIDDEN]->(i:Item)
WHERE (r.ingestedAt <= $watermark OR r.firstIngestedAt <= $watermark OR r.ingestedAt IS NULL) AND i.ix IS NOT NULL
WITH collect(u.ix) AS source, collect(i.ix) AS target, collect($codes[type(r)]) AS type,
     collect(coalesce(r.occurredAt.epochSeconds, -1)) AS at
UNWIND CASE WHEN source = [] THEN [] ELSE range(0, size(source) - 1, $block) END AS start
WITH source[start..start + $block] AS source, target[start..start + $block] AS target,
     type[start..start + $block] AS type, at[start..start + $block] AS at
RETURN vector(source, size(source), INTEGER32) AS source, vector(target, size(target), INTEGER32) AS target,
       vector(type, size(type), INTEGER8) AS type, vector(at, size(at), INTEGER64) AS at

// views: how often users of a range viewed items, as vectors
CYPHER 25
MATCH (u:User)
WHERE u.ix >= $low AND u.ix < $high
MATCH (u)-[r:VIEWED]->(i:Item)
WHERE (r.ingestedAt <= $watermark OR r.firstIngestedAt <= $watermark OR r.ingestedAt IS NULL) AND i.ix IS NOT NULL
WITH collect(u.ix) AS source, collect(i.ix) AS target, collect(coalesce(r.count, 1)) AS count,
     collect(coalesce(r.lastAt.epochSeconds, -1)) AS at
UNWIND CASE WHEN source = [] THEN [] ELSE range(0, size(source) - 1, $block) END AS start
WITH source[start..start + $block] AS source, target[start..start + $block] AS target,
     count[start..start + $block] AS count, at[start..start + $block] AS at
RETURN vector(source, size(source), INTEGER32) AS source, vector(target, size(target), INTEGER32) AS target,
       vector(count, size(count), INTEGER32) AS count, vector(at, size(at), INTEGER64) AS at

// ratings: how users of a range rated items, as vectors; -1 stands for a rating without a number
CYPHER 25
MATCH (u:User)
WHERE u.ix >= $low AND u.ix < $high
MATCH (u)-[r:RATED]->(i:Item)
WHERE (r.ingestedAt <= $watermark OR r.firstIngestedAt <= $watermark OR r.ingestedAt IS NULL) AND i.ix IS NOT NULL
WITH collect(u.ix) AS source, collect(i.ix) AS target, collect(coalesce(r.rating, -1)) AS rating,
     collect(coalesce(r.occurredAt.epochSeconds, -1)) AS at
UNWIND CASE WHEN source = [] THEN [] ELSE range(0, size(source) - 1, $block) END AS start
WITH source[start..start + $block] AS source, target[start..start + $block] AS target,
     rating[start..start + $block] AS rating, at[start..start + $block] AS at
RETURN vector(source, size(source), INTEGER32) AS source, vector(target, size(target), INTEGER32) AS target,
       vector(rating, size(rating), FLOAT32) AS rating, vector(at, size(at), INTEGER64) AS at

// friends: friendships of users of a range, as vectors
CYPHER 25
MATCH (u:User)
WHERE u.ix >= $low AND u.ix < $high
MATCH (u)-[r:FRIEND]->(v:User)
WHERE (r.ingestedAt <= $watermark OR r.firstIngestedAt <= $watermark OR r.ingestedAt IS NULL) AND v.ix IS NOT NULL
WITH collect(u.ix) AS source, collect(v.ix) AS target, collect(coalesce(r.strength, 1)) AS strength,
     collect(coalesce(r.since.epochSeconds, -1)) AS at
UNWIND CASE WHEN source = [] THEN [] ELSE range(0, size(source) - 1, $block) END AS start
WITH source[start..start + $block] AS source, target[start..start + $block] AS target,
     strength[start..start + $block] AS strength, at[start..start + $block] AS at
RETURN vector(source, size(source), INTEGER32) AS source, vector(target, size(target), INTEGER32) AS target,
       vector(strength, size(strength), FLOAT32) AS strength, vector(at, size(at), INTEGER64) AS at

// follows: whom users of a range follow, as vectors
CYPHER 25
MATCH (u:User)
WHERE u.ix >= $low AND u.ix < $high
MATCH (u)-[r:FOLLOWS]->(v:User)
WHERE (r.ingestedAt <= $watermark OR r.firstIngestedAt <= $watermark OR r.ingestedAt IS NULL) AND v.ix IS NOT NULL
WITH collect(u.ix) AS source, collect(v.ix) AS target, collect(coalesce(r.since.epochSeconds, -1)) AS at
UNWIND CASE WHEN source = [] THEN [] ELSE range(0, size(source) - 1, $block) END AS start
WITH source[start..start + $block] AS source, target[start..start + $block] AS target, at[start..start + $block] AS at
RETURN vector(source, size(source), INTEGER32) AS source, vector(target, size(target), INTEGER32) AS target,
       vector(at, size(at), INTEGER64) AS at

// shares: shares of a range with sharer, item and parent, as vectors; -1 stands for none
CYPHER 25
MATCH (s:Share)
WHERE s.ix >= $low AND s.ix < $high
  AND (s.ingestedAt <= $watermark OR s.firstIngestedAt <= $watermark OR s.ingestedAt IS NULL)
MATCH (u:User)-[:SHARED]->(s)-[:OF_ITEM]->(i:Item)
WHERE u.ix IS NOT NULL AND i.ix IS NOT NULL
OPTIONAL MATCH (s)-[:RESHARE_OF]->(p:Share)
WITH collect(s.ix) AS share, collect(u.ix) AS source, collect(i.ix) AS target, collect(coalesce(p.ix, -1)) AS parent,
     collect(coalesce(s.depth, 0)) AS depth, collect(coalesce(s.occurredAt.epochSeconds, -1)) AS at,
     collect(s.shareId) AS ids, collect(coalesce(s.channel, '')) AS channel
UNWIND CASE WHEN source = [] THEN [] ELSE range(0, size(source) - 1, $block) END AS start
WITH share[start..start + $block] AS share, source[start..start + $block] AS source,
     target[start..start + $block] AS target, parent[start..start + $block] AS parent,
     depth[start..start + $block] AS depth, at[start..start + $block] AS at, ids[start..start + $block] AS ids,
     channel[start..start + $block] AS channel
RETURN vector(share, size(share), INTEGER32) AS share, vector(source, size(source), INTEGER32) AS source,
       vector(target, size(target), INTEGER32) AS target, vector(parent, size(parent), INTEGER32) AS parent,
       vector(depth, size(depth), INTEGER32) AS depth, vector(at, size(at), INTEGER64) AS at, ids, channel

// sends: whom shares of a range were sent to, as vectors
CYPHER 25
MATCH (s:Share)
WHERE s.ix >= $low AND s.ix < $high
MATCH (s)-[r:SENT_TO]->(u:User)
WHERE (r.ingestedAt <= $watermark OR r.firstIngestedAt <= $watermark OR r.ingestedAt IS NULL) AND u.ix IS NOT NULL
WITH collect(s.ix) AS source, collect(u.ix) AS target
UNWIND CASE WHEN source = [] THEN [] ELSE range(0, size(source) - 1, $block) END AS start
WITH source[start..start + $block] AS source, target[start..start + $block] AS target
RETURN vector(source, size(source), INTEGER32) AS source, vector(target, size(target), INTEGER32) AS target

// opens: who opened shares of a range, as vectors
CYPHER 25
MATCH (s:Share)
WHERE s.ix >= $low AND s.ix < $high
MATCH (s)<-[r:OPENED]-(u:User)
WHERE (r.ingestedAt <= $watermark OR r.firstIngestedAt <= $watermark OR r.ingestedAt IS NULL) AND u.ix IS NOT NULL
WITH collect(s.ix) AS source, collect(u.ix) AS target, collect(coalesce(r.occurredAt.epochSeconds, -1)) AS at
UNWIND CASE WHEN source = [] THEN [] ELSE range(0, size(source) - 1, $block) END AS start
WITH source[start..start + $block] AS source, target[start..start + $block] AS target, at[start..start + $block] AS at
RETURN vector(source, size(source), INTEGER32) AS source, vector(target, size(target), INTEGER32) AS target,
       vector(at, size(at), INTEGER64) AS at

// note: keeps that this graph gave the snapshot; a model says which one it was trained on
MERGE (s:KithSnapshot {snapshotId: $snapshot_id})
SET s.exportedAt = datetime.realtime()

// forget: drops the notes of all but the newest snapshots
MATCH (s:KithSnapshot)
WITH s ORDER BY s.exportedAt DESC SKIP $kept
DELETE s
