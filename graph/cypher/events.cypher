// read_known: which of these events, users, items and shares are there already
CALL () {
  UNWIND $eventIds AS id
  MATCH (e:Event {eventId: id})
  RETURN collect([id, e.bodyHash]) AS events
}
CALL () {
  UNWIND $userIds AS id
  OPTIONAL MATCH (u:User {userId: id})
  WITH id, u WHERE u IS NULL
  RETURN collect(id) AS missingUsers
}
CALL () {
  UNWIND $itemIds AS id
  OPTIONAL MATCH (i:Item {itemId: id})
  WITH id, i WHERE i IS NULL
  RETURN collect(id) AS missingItems
}
CALL () {
  UNWIND $shareIds AS id
  MATCH (s:Share {shareId: id})
  OPTIONAL MATCH (s)-[:OF_ITEM]->(i:Item)
  OPTIONAL MATCH (s)<-[:SHARED]-(u:User)
  RETURN collect([id, u.userId, i.itemId, s.rootShareId, s.depth]) AS shares
}
RETURN events, missingUsers, missingItems, shares

// write_ledger: one entry per event; a second writer of the same event fails here; rows [eventId, bodyHash]
UNWIND $rows AS row
CREATE (e:Event {eventId: row[0], bodyHash: row[1], receivedAt: datetime(), imported: $imported})

// create_users: users that events name before anybody described them
UNWIND $ids AS id
MERGE (u:User {userId: id})
ON CREATE SET u.stub = true, u.consent = $consent, u.ingestedAt = datetime()

// create_items: items that events name before anybody described them
UNWIND $ids AS id
MERGE (i:Item {itemId: id})
ON CREATE SET i.stub = true, i.ingestedAt = datetime()

// write_views: folds views into one relationship per user and item; rows [userId, itemId, count, firstMs, lastMs]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (i:Item {itemId: row[1]})
WITH row, u, i,
     CASE WHEN row[3] IS NULL THEN null ELSE datetime({epochMillis: row[3]}) END AS first,
     CASE WHEN row[4] IS NULL THEN null ELSE datetime({epochMillis: row[4]}) END AS last
MERGE (u)-[v:VIEWED]->(i)
SET v.count = coalesce(v.count, 0) + row[2],
    v.firstIngestedAt = coalesce(v.firstIngestedAt, v.ingestedAt), v.ingestedAt = datetime(),
    v.firstAt = CASE WHEN v.firstAt <= first THEN v.firstAt ELSE coalesce(first, v.firstAt) END,
    v.lastAt = CASE WHEN v.lastAt >= last THEN v.lastAt ELSE coalesce(last, v.lastAt) END

// write_interactions: one relationship per event; rows [userId, itemId, type, eventId, occurredMs, properties]
CYPHER 25
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (i:Item {itemId: row[1]})
CREATE (u)-[r:$(row[2]) {
  eventId: row[3],
  occurredAt: CASE WHEN row[4] IS NULL THEN null ELSE datetime({epochMillis: row[4]}) END,
  ingestedAt: datetime()
}]->(i)
SET r += row[5]

// hold_shares: root and depth of shares; where one is missing nobody else can create it before this transaction ends
UNWIND $ids AS id
MERGE (s:Share {shareId: id})
ON CREATE SET s.placeholder = true
WITH id, s, s.placeholder IS NOT NULL AS missing, s.rootShareId AS rootShareId, s.depth AS depth
FOREACH (_ IN CASE WHEN missing THEN [1] ELSE [] END | DELETE s)
RETURN id AS shareId, missing, rootShareId, depth

// write_shares: rows [userId, itemId, shareId, occurredMs, rootShareId, depth, properties]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (i:Item {itemId: row[1]})
CREATE (u)-[:SHARED]->(s:Share {
  shareId: row[2],
  occurredAt: CASE WHEN row[3] IS NULL THEN null ELSE datetime({epochMillis: row[3]}) END,
  rootShareId: row[4],
  depth: row[5],
  ingestedAt: datetime()
})-[:OF_ITEM]->(i)
SET s += row[6]

// write_reshares: hangs shares below their parents; rows [shareId, parentShareId]
UNWIND $rows AS row
MATCH (child:Share {shareId: row[0]})
MATCH (parent:Share {shareId: row[1]})
CREATE (child)-[:RESHARE_OF]->(parent)

// attach_reshares: hangs shares below parents that came later, unless that closes a circle; rows [shareId, parentShareId]
UNWIND $rows AS row
MATCH (child:Share {shareId: row[0]})
MATCH (parent:Share {shareId: row[1]})
WHERE NOT EXISTS { (child)-[:RESHARE_OF]->() } AND NOT EXISTS { (parent)-[:RESHARE_OF*0..1000]->(child) }
MERGE (child)-[:RESHARE_OF]->(parent)
RETURN child.shareId AS shareId

// settle_roots: gives root and depth of their parent to the shares below; repeat until it changes none
UNWIND $ids AS id
MATCH (child:Share {shareId: id})-[:RESHARE_OF]->(parent:Share)
MATCH path = (below:Share)-[:RESHARE_OF*0..1000]->(child)
WITH below, parent.rootShareId AS rootShareId, parent.depth + 1 + length(path) AS depth
WHERE below.rootShareId <> rootShareId OR below.depth <> depth
SET below.rootShareId = rootShareId, below.depth = depth,
    below.firstIngestedAt = coalesce(below.firstIngestedAt, below.ingestedAt), below.ingestedAt = datetime()
RETURN count(below) AS changed

// write_recipients: who a new share was sent to; rows [userId, shareId]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (s:Share {shareId: row[1]})
CREATE (s)-[:SENT_TO {ingestedAt: datetime()}]->(u)

// add_recipients: who a share was sent to later; rows [userId, shareId]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (s:Share {shareId: row[1]})
MERGE (s)-[t:SENT_TO]->(u)
ON CREATE SET t.ingestedAt = datetime()

// write_opens: one relationship per event; rows [userId, shareId, eventId, occurredMs, properties]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (s:Share {shareId: row[1]})
CREATE (u)-[o:OPENED {
  eventId: row[2],
  occurredAt: CASE WHEN row[3] IS NULL THEN null ELSE datetime({epochMillis: row[3]}) END,
  ingestedAt: datetime()
}]->(s)
SET o += row[4]

// hold_purchases: which purchases are missing; nobody else can create those before this transaction ends
UNWIND $ids AS id
MERGE (e:Event {eventId: id})
ON CREATE SET e.placeholder = true
WITH id, e, e.placeholder IS NOT NULL AS absent
FOREACH (_ IN CASE WHEN absent THEN [1] ELSE [] END | DELETE e)
WITH id
OPTIONAL MATCH ()-[p:PURCHASED {eventId: id}]->()
WITH id, p WHERE p IS NULL
RETURN id AS eventId

// write_refunds: sums what was paid back of a purchase; rows [purchaseEventId, valueMinor]
UNWIND $rows AS row
MATCH ()-[p:PURCHASED {eventId: row[0]}]->()
SET p.refundedMinor = coalesce(p.refundedMinor, 0) + row[1],
    p.firstIngestedAt = coalesce(p.firstIngestedAt, p.ingestedAt), p.ingestedAt = datetime()

// write_pending: keeps events until what they name is there; rows [pendingId, waitsFor, body]
UNWIND $rows AS row
MERGE (p:KithPending {pendingId: row[0]})
ON CREATE SET p.waitsFor = row[1], p.body = row[2], p.createdAt = datetime()

// take_pending: takes the events that waited for these keys
UNWIND $keys AS key
MATCH (p:KithPending {waitsFor: key})
WITH p, p.body AS body
DELETE p
RETURN body

// start_friends: the later of start and end wins, in any order; rows [userId, friendId, tieKey, ms, strength]
UNWIND $rows AS row
MATCH (a:User {userId: row[0]})
MATCH (b:User {userId: row[1]})
WITH row, a, b, CASE WHEN row[3] IS NULL THEN null ELSE datetime({epochMillis: row[3]}) END AS at
MERGE (a)-[f:FRIEND]->(b)
ON CREATE SET f.since = at, f.strength = row[4], f.ingestedAt = datetime()
FOREACH (_ IN CASE
    WHEN at IS NOT NULL AND (f.since IS NULL OR at > f.since OR (at = f.since AND row[4] > f.strength)) THEN [1]
    ELSE [] END |
  SET f.since = at, f.strength = row[4],
    f.firstIngestedAt = coalesce(f.firstIngestedAt, f.ingestedAt), f.ingestedAt = datetime())
WITH row, f
MATCH (e:KithEndedTie {tieKey: row[2]})
WHERE coalesce(f.since, datetime({epochMillis: 0})) <= e.endedAt
DELETE f

// end_friends: the later of start and end wins, in any order; rows [userId, friendId, tieKey, ms]
UNWIND $rows AS row
MATCH (a:User {userId: row[0]})
MATCH (b:User {userId: row[1]})
SET a.userId = row[0]
WITH row, a, b, datetime({epochMillis: row[3]}) AS at
MERGE (e:KithEndedTie {tieKey: row[2]})
ON CREATE SET e.endedAt = at, e.userId = row[0], e.friendId = row[1]
SET e.endedAt = CASE WHEN e.endedAt > at THEN e.endedAt ELSE at END
WITH a, b, e
MATCH (a)-[f:FRIEND]->(b)
WHERE coalesce(f.since, datetime({epochMillis: 0})) <= e.endedAt
DELETE f

// start_follows: the later of start and end wins, in any order; rows [userId, friendId, tieKey, ms]
UNWIND $rows AS row
MATCH (a:User {userId: row[0]})
MATCH (b:User {userId: row[1]})
WITH row, a, b, CASE WHEN row[3] IS NULL THEN null ELSE datetime({epochMillis: row[3]}) END AS at
MERGE (a)-[f:FOLLOWS]->(b)
ON CREATE SET f.since = at, f.ingestedAt = datetime()
FOREACH (_ IN CASE WHEN at IS NOT NULL AND (f.since IS NULL OR at > f.since) THEN [1] ELSE [] END |
  SET f.since = at,
    f.firstIngestedAt = coalesce(f.firstIngestedAt, f.ingestedAt), f.ingestedAt = datetime())
WITH row, f
MATCH (e:KithEndedTie {tieKey: row[2]})
WHERE coalesce(f.since, datetime({epochMillis: 0})) <= e.endedAt
DELETE f

// end_follows: the later of start and end wins, in any order; rows [userId, friendId, tieKey, ms]
UNWIND $rows AS row
MATCH (a:User {userId: row[0]})
MATCH (b:User {userId: row[1]})
SET a.userId = row[0]
WITH row, a, b, datetime({epochMillis: row[3]}) AS at
MERGE (e:KithEndedTie {tieKey: row[2]})
ON CREATE SET e.endedAt = at, e.userId = row[0], e.friendId = row[1]
SET e.endedAt = CASE WHEN e.endedAt > at THEN e.endedAt ELSE at END
WITH a, b, e
MATCH (a)-[f:FOLLOWS]->(b)
WHERE coalesce(f.since, datetime({epochMillis: 0})) <= e.endedAt
DELETE f

// write_blocks: the first time counts; rows [userId, friendId, ms]
UNWIND $rows AS row
MATCH (a:User {userId: row[0]})
MATCH (b:User {userId: row[1]})
WITH a, b, CASE WHEN row[2] IS NULL THEN null ELSE datetime({epochMillis: row[2]}) END AS at
MERGE (a)-[r:BLOCKED]->(b)
ON CREATE SET r.occurredAt = at, r.ingestedAt = datetime()
SET r.occurredAt = CASE WHEN at < r.occurredAt THEN at ELSE r.occurredAt END
