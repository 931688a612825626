// lock: one process at a time counts
MERGE (s:KithSequence {key: 'cascades'})
REMOVE s.locked

// touches: what changed and is not counted yet
MATCH (t:KithTouch)
WITH t LIMIT $limit
RETURN elementId(t) AS touch, t.shareIds AS shareIds, t.lastMs AS lastMs, t.purchaseIds AS purchaseIds

// drop_touches: what has been counted
UNWIND $touches AS touch
MATCH (t:KithTouch) WHERE elementId(t) = touch
DELETE t

// read_ancestors: shares and all above them, as they are stored
UNWIND $ids AS id
MATCH (:Share {shareId: id})-[:RESHARE_OF*0..1000]->(s:Share)
WITH DISTINCT s
RETURN s.shareId AS shareId, elementId(s) AS node, s.occurredAt.epochMillis AS occurredMs, s.rootShareId AS rootShareId,
       s.subtreeSize AS subtreeSize, s.ownOpens AS ownOpens,
       head([(s)-[:RESHARE_OF]->(p) | p.shareId]) AS parentId,
       CASE WHEN s.cascadeSize IS NOT NULL THEN s {
         .levelSizes, .depthSum, .squareSum, .uniqueUsers, .opens, .conversions, .revenueCurrencies, .revenueAmounts,
         lastMs: s.lastActivityAt.epochMillis
       } END AS tree

// read_opens: how often shares were opened
UNWIND $ids AS id
MATCH (s:Share {shareId: id})
RETURN s.shareId AS shareId, COUNT { (s)<-[:OPENED]-() } AS opens

// read_sharers: who shared
UNWIND $ids AS id
MATCH (u:User)-[:SHARED]->(s:Share {shareId: id})
RETURN s.shareId AS shareId, u.userId AS userId

// read_first_below: the shares of a cascade that count for their users
UNWIND $ids AS id
MATCH (:Share {shareId: id})<-[:RESHARE_OF*0..1000]-(s:Share)
WHERE s.isFirst
MATCH (u:User)-[:SHARED]->(s)
RETURN s.shareId AS shareId, u.userId AS userId

// read_first: which share counts for a user in a cascade; rows [userId, rootShareId]
UNWIND $rows AS row
MATCH (:User {userId: row[0]})-[:SHARED]->(s:Share)
WHERE s.rootShareId = row[1] AND s.isFirst
RETURN row[0] AS userId, row[1] AS rootShareId, collect(s.shareId) AS shareIds

// read_purchases_below: purchases that shares of a cascade brought
UNWIND $ids AS id
MATCH (:Share {shareId: id})<-[:RESHARE_OF*0..1000]-(s:Share)
MATCH ()-[p:PURCHASED]->()
WHERE p.shareId = s.shareId
RETURN collect(DISTINCT p.eventId) AS purchaseIds

// read_purchases: purchases that shares brought, with their credits so far
UNWIND $ids AS id
MATCH (u:User)-[p:PURCHASED {eventId: id}]->()
WHERE p.shareId IS NOT NULL
RETURN id AS eventId, u.userId AS userId, p.shareId AS shareId, p.valueMinor AS valueMinor, p.currency AS currency,
       coalesce(p.refundedMinor, 0) AS refundedMinor, p.occurredAt.epochMillis AS occurredMs,
       [(u)<-[c:CONVERTED]-(s:Share) WHERE c.eventId = id | [s.shareId, c.creditMinor, c.model]] AS credits

// write_shares: numbers of shares, in the order of their ids; rows [shareId, properties]; null takes a property away
UNWIND $rows AS row
MATCH (s:Share {shareId: row[0]})
REMOVE s.locked
SET s += row[1]

// write_roots: numbers of cascades; rows [shareId, properties, lastMs]
UNWIND $rows AS row
MATCH (s:Share {shareId: row[0]})
SET s += row[1],
    s.lastActivityAt = CASE WHEN row[2] IS NULL THEN null ELSE datetime({epochMillis: row[2]}) END

// drop_credits: credits of purchases; rows [userId, eventId]
UNWIND $rows AS row
MATCH (:User {userId: row[0]})<-[c:CONVERTED]-(:Share)
WHERE c.eventId = row[1]
DELETE c

// write_credits: rows [shareId, userId, creditId, eventId, creditMinor, currency, model, occurredMs]
UNWIND $rows AS row
MATCH (s:Share {shareId: row[0]})
MATCH (u:User {userId: row[1]})
CREATE (s)-[:CONVERTED {
  creditId: row[2], eventId: row[3], creditMinor: row[4], currency: row[5], model: row[6],
  occurredAt: datetime({epochMillis: row[7]}), ingestedAt: datetime()
}]->(u)
