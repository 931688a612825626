// read_clock: the server's clock, ms since 1970
RETURN datetime.realtime().epochMillis AS ms

// write_ledger: one entry per event; answers with those that were there before; rows [eventId, bodyHash]
UNWIND $rows AS row
MERGE (e:Event {eventId: row[0]})
ON CREATE SET e.bodyHash = row[1], e.receivedAt = datetime(), e.imported = $imported, e.isNew = true
WITH e, e.isNew IS NULL AS isOld
REMOVE e.isNew
WITH e WHERE isOld
RETURN collect([e.eventId, e.bodyHash]) AS known

// write_ledger_and_hold: as write_ledger; where a row has no hash, others are only kept from creating the entry
UNWIND $rows AS row
MERGE (e:Event {eventId: row[0]})
ON CREATE SET e.bodyHash = row[1], e.receivedAt = datetime(), e.imported = $imported, e.isNew = true
WITH row, e, e.isNew IS NULL AS isOld
REMOVE e.isNew
FOREACH (_ IN CASE WHEN isOld OR row[1] IS NOT NULL THEN [] ELSE [1] END | DELETE e)
WITH e, isOld WHERE isOld
RETURN collect([e.eventId, e.bodyHash]) AS known

// bind_users: the users that events name, created where nobody described them; locked in the order of their ids
UNWIND $ids AS id
MERGE (u:User {userId: id})
ON CREATE SET u.stub = true, u.consent = $consent, u.ingestedAt = datetime()
REMOVE u.locked
RETURN collect([u.userId, elementId(u)]) AS found

// bind_items: the items that events name, created where nobody described them; quiet ones locked in the order of their ids
UNWIND $ids AS id
MERGE (i:Item {itemId: id})
ON CREATE SET i.stub = true, i.ingestedAt = datetime()
FOREACH (_ IN CASE WHEN COUNT { (i)--() } < $busy THEN [1] ELSE [] END | REMOVE i.locked)
RETURN collect([i.itemId, elementId(i)]) AS found

// find_users: those of the users that are there, locked in the order of their ids
UNWIND $ids AS id
MATCH (u:User {userId: id})
USING INDEX SEEK u:User(userId)
REMOVE u.locked
RETURN collect([u.userId, elementId(u)]) AS found

// find_items: those of the items that are there, quiet ones locked in the order of their ids
UNWIND $ids AS id
MATCH (i:Item {itemId: id})
USING INDEX SEEK i:Item(itemId)
FOREACH (_ IN CASE WHEN COUNT { (i)--() } < $busy THEN [1] ELSE [] END | REMOVE i.locked)
RETURN collect([i.itemId, elementId(i)]) AS found

// read_movable: shares that get another root when $arriving come, and roots above $parents that may get one
UNWIND $arriving AS id
MATCH (p:KithPending {waitsFor: 'share:' + id})
USING INDEX SEEK p:KithPending(waitsFor)
WHERE p.pendingId STARTS WITH 'reshare:'
MATCH (s:Share)-[:RESHARE_OF*0..1000]->(top:Share {shareId: substring(p.pendingId, 8)})
USING INDEX SEEK top:Share(shareId)
RETURN DISTINCT s.shareId AS shareId
UNION
UNWIND $parents AS id
MATCH (p:Share {shareId: id})
USING INDEX SEEK p:Share(shareId)
MATCH (s:Share {shareId: p.rootShareId})
USING INDEX SEEK s:Share(shareId)
WHERE s.waitsFor IS NOT NULL
RETURN DISTINCT s.shareId AS shareId

// find_shares: those of the shares that are there, quiet ones locked in the order of their ids
UNWIND $ids AS id
MATCH (s:Share {shareId: id})
USING INDEX SEEK s:Share(shareId)
FOREACH (_ IN CASE WHEN COUNT { (s)--() } < $busy THEN [1] ELSE [] END | REMOVE s.locked)
RETURN collect([s.shareId, elementId(s), s.rootShareId, s.depth,
  CASE WHEN s.depth = 0 THEN s.waitsFor IS NOT NULL
       ELSE COLLECT { MATCH (r:Share {shareId: s.rootShareId}) RETURN r.waitsFor IS NOT NULL }[0] END]) AS found

// lock_shares: locks shares in the order of their ids
UNWIND $ids AS id
MATCH (s:Share {shareId: id})
USING INDEX SEEK s:Share(shareId)
REMOVE s.locked

// read_owners: user and item of shares
UNWIND $ids AS id
MATCH (u:User)-[:SHARED]->(s:Share {shareId: id})-[:OF_ITEM]->(i:Item)
USING INDEX SEEK s:Share(shareId)
RETURN s.shareId AS shareId, u.userId AS userId, i.itemId AS itemId

// create_users: users that events name before anybody described them
UNWIND $ids AS id
MERGE (u:User {userId: id})
ON CREATE SET u.stub = true, u.consent = $consent, u.ingestedAt = datetime()

// create_items: items that events name before anybody described them
UNWIND $ids AS id
MERGE (i:Item {itemId: id})
ON CREATE SET i.stub = true, i.ingestedAt = datetime()

// add_views: folds views into those that are there, answers with their rows; rows [user, item, count, firstMs, lastMs, n]
UNWIND $rows AS row
MATCH (u) WHERE elementId(u) = row[0]
MATCH (i) WHERE elementId(i) = row[1]
MATCH (u)-[v:VIEWED]->(i)
WITH row, v,
     CASE WHEN row[3] IS NULL THEN null ELSE datetime({epochMillis: row[3]}) END AS first,
     CASE WHEN row[4] IS NULL THEN null ELSE datetime({epochMillis: row[4]}) END AS last
SET v.count = v.count + row[2],
    v.firstIngestedAt = coalesce(v.firstIngestedAt, v.ingestedAt), v.ingestedAt = datetime(),
    v.firstAt = CASE WHEN v.firstAt <= first THEN v.firstAt ELSE coalesce(first, v.firstAt) END,
    v.lastAt = CASE WHEN v.lastAt >= last THEN v.lastAt ELSE coalesce(last, v.lastAt) END
RETURN collect(row[5]) AS added

// write_views: the first views of user and item; their user is locked; rows [user, item, count, firstMs, lastMs]
UNWIND $rows AS row
MATCH (u) WHERE elementId(u) = row[0]
MATCH (i) WHERE elementId(i) = row[1]
CREATE (u)-[:VIEWED {
  count: row[2],
  firstAt: CASE WHEN row[3] IS NULL THEN null ELSE datetime({epochMillis: row[3]}) END,
  lastAt: CASE WHEN row[4] IS NULL THEN null ELSE datetime({epochMillis: row[4]}) END,
  ingestedAt: datetime()
}]->(i)

// write_interactions: one relationship per event; rows [user, item, type, eventId, occurredMs, properties]
CYPHER 25
UNWIND $rows AS row
MATCH (u) WHERE elementId(u) = row[0]
MATCH (i) WHERE elementId(i) = row[1]
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

// create_shares: shares without their neighbours; rows [shareId, occurredMs, rootShareId, depth, properties]
UNWIND $rows AS row
CREATE (s:Share {
  shareId: row[0],
  occurredAt: CASE WHEN row[1] IS NULL THEN null ELSE datetime({epochMillis: row[1]}) END,
  rootShareId: row[2],
  depth: row[3],
  ingestedAt: datetime()
})
SET s += row[4]
RETURN collect([s.shareId, elementId(s)]) AS found

// write_shares: who shared what; rows [user, item, share]
UNWIND $rows AS row
MATCH (u) WHERE elementId(u) = row[0]
MATCH (i) WHERE elementId(i) = row[1]
MATCH (s) WHERE elementId(s) = row[2]
CREATE (u)-[:SHARED]->(s)-[:OF_ITEM]->(i)

// write_reshares: hangs shares below their parents; rows [share, parent]
UNWIND $rows AS row
MATCH (child) WHERE elementId(child) = row[0]
MATCH (parent) WHERE elementId(parent) = row[1]
CREATE (child)-[:RESHARE_OF]->(parent)

// attach_reshare: hangs a share below a parent that came later, unless that closes a circle or goes too deep
MATCH (child:Share {shareId: $shareId})
USING INDEX SEEK child:Share(shareId)
REMOVE child.waitsFor
WITH child
MATCH (parent:Share {shareId: $parentShareId})
USING INDEX SEEK parent:Share(shareId)
WHERE NOT EXISTS { (child)-[:RESHARE_OF]->() } AND NOT EXISTS { (parent)-[:RESHARE_OF*0..1000]->(child) }
  AND parent.depth + COLLECT {
    MATCH way = (:Share)-[:RESHARE_OF*0..1000]->(child) RETURN length(way) ORDER BY length(way) DESC LIMIT 1
  }[0] < $deepest
CREATE (child)-[:RESHARE_OF]->(parent)
WITH child, parent
MATCH way = (below:Share)-[:RESHARE_OF*0..1000]->(child)
WITH below, parent.rootShareId AS rootShareId, parent.depth + 1 + length(way) AS depth
SET below.rootShareId = rootShareId, below.depth = depth,
    below.firstIngestedAt = coalesce(below.firstIngestedAt, below.ingestedAt), below.ingestedAt = datetime()

// write_recipients: who a new share was sent to; rows [user, share]
UNWIND $rows AS row
MATCH (u) WHERE elementId(u) = row[0]
MATCH (s) WHERE elementId(s) = row[1]
CREATE (s)-[:SENT_TO {ingestedAt: datetime()}]->(u)

// add_recipients: who a share was sent to later; rows [user, share]
UNWIND $rows AS row
MATCH (u) WHERE elementId(u) = row[0]
MATCH (s) WHERE elementId(s) = row[1]
MERGE (s)-[t:SENT_TO]->(u)
ON CREATE SET t.ingestedAt = datetime()

// write_opens: one relationship per event; rows [user, share, eventId, occurredMs, properties]
UNWIND $rows AS row
MATCH (u) WHERE elementId(u) = row[0]
MATCH (s) WHERE elementId(s) = row[1]
CREATE (u)-[o:OPENED {
  eventId: row[2],
  occurredAt: CASE WHEN row[3] IS NULL THEN null ELSE datetime({epochMillis: row[3]}) END,
  ingestedAt: datetime()
}]->(s)
SET o += row[4]

// write_touch: the shares and purchases whose cascades have changed; the cascades' numbers follow from it
CREATE (:KithTouch {shareIds: $shareIds, lastMs: $lastMs, purchaseIds: $purchaseIds, at: datetime()})

// missing_purchases: which purchases are not there
UNWIND $ids AS id
OPTIONAL MATCH ()-[p:PURCHASED {eventId: id}]->()
USING INDEX SEEK p:PURCHASED(eventId)
WITH id, p WHERE p IS NULL
RETURN id AS eventId

// write_refunds: sums what was paid back of a purchase; rows [purchaseEventId, valueMinor]
UNWIND $rows AS row
MATCH ()-[p:PURCHASED {eventId: row[0]}]->()
USING INDEX SEEK p:PURCHASED(eventId)
SET p.refundedMinor = coalesce(p.refundedMinor, 0) + row[1],
    p.firstIngestedAt = coalesce(p.firstIngestedAt, p.ingestedAt), p.ingestedAt = datetime()

// count_pending: how many events wait
MATCH (p:KithPending)
RETURN count(p) AS waiting

// write_pending: keeps events until what they name is there; rows [pendingId, waitsFor, body]
UNWIND $rows AS row
MERGE (p:KithPending {pendingId: row[0]})
ON CREATE SET p.waitsFor = row[1], p.body = row[2], p.createdAt = datetime()

// take_pending: takes the events that waited for these keys
UNWIND $keys AS key
MATCH (p:KithPending {waitsFor: key})
USING INDEX SEEK p:KithPending(waitsFor)
WITH p, p.body AS body
DELETE p
RETURN body

// start_friends: the later of start and end wins, in any order; rows [userId, friendId, tieKey, ms, strength]
UNWIND $rows AS row
MATCH (a:User {userId: row[0]})
USING INDEX SEEK a:User(userId)
MATCH (b:User {userId: row[1]})
USING INDEX SEEK b:User(userId)
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
USING INDEX SEEK e:KithEndedTie(tieKey)
WHERE coalesce(f.since, datetime({epochMillis: 0})) <= e.endedAt
DELETE f

// end_friends: the later of start and end wins, in any order; rows [userId, friendId, tieKey, ms]
UNWIND $rows AS row
MATCH (a:User {userId: row[0]})
USING INDEX SEEK a:User(userId)
MATCH (b:User {userId: row[1]})
USING INDEX SEEK b:User(userId)
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
USING INDEX SEEK a:User(userId)
MATCH (b:User {userId: row[1]})
USING INDEX SEEK b:User(userId)
WITH row, a, b, CASE WHEN row[3] IS NULL THEN null ELSE datetime({epochMillis: row[3]}) END AS at
MERGE (a)-[f:FOLLOWS]->(b)
ON CREATE SET f.since = at, f.ingestedAt = datetime()
FOREACH (_ IN CASE WHEN at IS NOT NULL AND (f.since IS NULL OR at > f.since) THEN [1] ELSE [] END |
  SET f.since = at,
    f.firstIngestedAt = coalesce(f.firstIngestedAt, f.ingestedAt), f.ingestedAt = datetime())
WITH row, f
MATCH (e:KithEndedTie {tieKey: row[2]})
USING INDEX SEEK e:KithEndedTie(tieKey)
WHERE coalesce(f.since, datetime({epochMillis: 0})) <= e.endedAt
DELETE f

// end_follows: the later of start and end wins, in any order; rows [userId, friendId, tieKey, ms]
UNWIND $rows AS row
MATCH (a:User {userId: row[0]})
USING INDEX SEEK a:User(userId)
MATCH (b:User {userId: row[1]})
USING INDEX SEEK b:User(userId)
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
USING INDEX SEEK a:User(userId)
MATCH (b:User {userId: row[1]})
USING INDEX SEEK b:User(userId)
WITH a, b, CASE WHEN row[2] IS NULL THEN null ELSE datetime({epochMillis: row[2]}) END AS at
MERGE (a)-[r:BLOCKED]->(b)
ON CREATE SET r.occurredAt = at, r.ingestedAt = datetime()
SET r.occurredAt = CASE WHEN at < r.occurredAt THEN at ELSE r.occurredAt END
