// lock: one process at a time counts
MERGE (s:KithSequence {key: 'cascades'})
REMOVE s.locked

// touches: what changed and is not counted yet
MATCH (t:KithTouch)
WITH t LIMIT coalesce($limit, 9223372036854775807)
RETURN elementId(t) AS touch, t.shareIds AS shareIds, t.lastMs AS lastMs, t.purchaseIds AS purchaseIds

// drop_touches: what has been counted
UNWIND $touches AS touch
MATCH (t:KithTouch) WHERE elementId(t) = touch
DELETE t

// read_ancestors: shares and all above them, as they are stored
UNWIND $ids AS id
MATCH (given:Share {shareId: id})-[:RESHARE_OF*0..1000]->(s:Share)
USING INDEX SEEK given:Share(shareId)
WITH DISTINCT s
RETURN s.shareId AS shareId, elementId(s) AS node, s.occurredAt.epochMillis AS occurredMs,
       s.subtreeSize AS subtreeSize, s.ownOpens AS ownOpens,
       head([(s)-[:RESHARE_OF]->(p) | p.shareId]) AS parentId,
       CASE WHEN s.cascadeSize IS NOT NULL THEN s {
         .levelSizes, .depthSum, .squareSum, .uniqueUsers, .opens, .conversions, .revenueCurrencies, .revenueAmounts,
         .growth,
         lastMs: s.lastActivityAt.epochMillis
       } END AS tree

// read_opens: how often shares were opened
UNWIND $ids AS id
MATCH (s:Share {shareId: id})
USING INDEX SEEK s:Share(shareId)
RETURN s.shareId AS shareId, COUNT { (s)<-[:OPENED]-() } AS opens

// read_sharers: who shared
UNWIND $ids AS id
MATCH (u:User)-[:SHARED]->(s:Share {shareId: id})
USING INDEX SEEK s:Share(shareId)
RETURN s.shareId AS shareId, u.userId AS userId

// read_first_below: the shares of a cascade that count for their users
UNWIND $ids AS id
MATCH (given:Share {shareId: id})<-[:RESHARE_OF*0..1000]-(s:Share)
USING INDEX SEEK given:Share(shareId)
WHERE s.isFirst
MATCH (u:User)-[:SHARED]->(s)
RETURN s.shareId AS shareId, u.userId AS userId

// read_first: which share counts for a user in a cascade; rows [userId, rootShareId]; without a label, so that the way
// is from the user, never over the whole cascade
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})-[:SHARED]->(s)
USING INDEX SEEK u:User(userId)
WHERE s.rootShareId = row[1] AND s.isFirst
RETURN row[0] AS userId, row[1] AS rootShareId, collect(s.shareId) AS shareIds

// read_purchases_below: purchases that shares of a cascade brought
UNWIND $ids AS id
MATCH (given:Share {shareId: id})<-[:RESHARE_OF*0..1000]-(s:Share)
USING INDEX SEEK given:Share(shareId)
MATCH ()-[p:PURCHASED]->()
USING INDEX SEEK p:PURCHASED(shareId)
WHERE p.shareId = s.shareId
RETURN collect(DISTINCT p.eventId) AS purchaseIds

// read_purchases: purchases that shares brought, with their credits so far
UNWIND $ids AS id
MATCH (u:User)-[p:PURCHASED {eventId: id}]->()
USING INDEX SEEK p:PURCHASED(eventId)
WHERE p.shareId IS NOT NULL
RETURN id AS eventId, u.userId AS userId, p.shareId AS shareId, p.valueMinor AS valueMinor, p.currency AS currency,
       coalesce(p.refundedMinor, 0) AS refundedMinor, p.occurredAt.epochMillis AS occurredMs,
       [(u)<-[c:CONVERTED]-(s:Share) WHERE c.eventId = id | [s.shareId, c.creditMinor, c.model]] AS credits

// read_purchases_of: purchases that name shares
UNWIND $ids AS id
MATCH ()-[p:PURCHASED {shareId: id}]->()
USING INDEX SEEK p:PURCHASED(shareId)
RETURN collect(p.eventId) AS purchaseIds

// write_shares: numbers of shares, in the order of their ids; rows [shareId, properties]; null takes a property away
UNWIND $rows AS row
MATCH (s:Share {shareId: row[0]})
USING INDEX SEEK s:Share(shareId)
REMOVE s.locked
SET s += row[1]

// write_roots: numbers of cascades; rows [shareId, properties, lastMs]
UNWIND $rows AS row
MATCH (s:Share {shareId: row[0]})
USING INDEX SEEK s:Share(shareId)
SET s += row[1],
    s.lastActivityAt = CASE WHEN row[2] IS NULL THEN null ELSE datetime({epochMillis: row[2]}) END

// lock_users: locks users in the order of their ids
UNWIND $ids AS id
MATCH (u:User {userId: id})
USING INDEX SEEK u:User(userId)
REMOVE u.locked

// drop_credits: credits of purchases; rows [userId, eventId]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})<-[c:CONVERTED]-(:Share)
USING INDEX SEEK u:User(userId)
WHERE c.eventId = row[1]
DELETE c

// write_credits: rows [shareId, userId, creditId, eventId, creditMinor, currency, model, occurredMs]
UNWIND $rows AS row
MATCH (s:Share {shareId: row[0]})
USING INDEX SEEK s:Share(shareId)
MATCH (u:User {userId: row[1]})
USING INDEX SEEK u:User(userId)
CREATE (s)-[:CONVERTED {
  creditId: row[2], eventId: row[3], creditMinor: row[4], currency: row[5], model: row[6],
  occurredAt: datetime({epochMillis: row[7]}), ingestedAt: datetime()
}]->(u)

// read_cascade: the cascade of a share, its root with numbers
MATCH (s:Share {shareId: $shareId})
USING INDEX SEEK s:Share(shareId)
MATCH (root:Share {shareId: s.rootShareId})
USING INDEX SEEK root:Share(shareId)
MATCH (root)-[:OF_ITEM]->(i:Item)
RETURN root {
         .shareId, .channel, .platform, .campaignId, .cascadeSize, .cascadeDepth, .cascadeWidth, .levelSizes,
         .structuralVirality, .uniqueUsers, .opens, .conversions, .revenueMinor, .revenueCurrencies, .revenueAmounts,
         .growth, .forecastSize, .forecastLow, .forecastHigh, .forecastSizes, .forecastLows, .forecastHighs,
         unusual: coalesce(root.unusual, []), forecastTimes: [at IN root.forecastTimes | at.epochMillis],
         occurredAt: root.occurredAt.epochMillis, lastActivityAt: root.lastActivityAt.epochMillis,
         forecastAt: root.forecastAt.epochMillis, itemId: i.itemId, itemTitle: i.title
       } AS root

// read_tree: the shares of a cascade, level by level, oldest first; who did not agree to analytics has no name
MATCH (s:Share {rootShareId: $rootShareId})
USING INDEX SEEK s:Share(rootShareId)
WITH s ORDER BY s.depth, s.occurredAt, s.shareId LIMIT $limit
RETURN s.shareId AS shareId, head([(s)-[:RESHARE_OF]->(p) | p.shareId]) AS parentShareId, s.depth AS depth,
       s.occurredAt.epochMillis AS occurredAt, s.channel AS channel, s.subtreeSize AS subtreeSize,
       coalesce(s.ownOpens, 0) AS opens,
       head([(u:User)-[:SHARED]->(s) WHERE 'analytics' IN u.consent | u.userId]) AS userId
ORDER BY depth, occurredAt, shareId

// read_span: when the shares of a cascade began and ended
MATCH (s:Share {rootShareId: $rootShareId})
USING INDEX SEEK s:Share(rootShareId)
WITH s LIMIT $scanned
WITH s.occurredAt.epochMillis AS ms
RETURN min(ms) AS firstMs, max(ms) AS lastMs

// read_timeline: how many shares of a cascade there were by and by
MATCH (s:Share {rootShareId: $rootShareId})
USING INDEX SEEK s:Share(rootShareId)
WHERE s.occurredAt IS NOT NULL
WITH s LIMIT $scanned
WITH (s.occurredAt.epochMillis - $firstMs) / $stepMs AS step
RETURN step, count(*) AS shares ORDER BY step

// list_growing: cascades by growth
MATCH (s:Share)
USING INDEX SEEK s:Share(growth)
WHERE s.growth >= $least AND s.growth <= $growth AND (s.growth < $growth OR s.shareId > $shareId)
WITH s ORDER BY s.growth DESC, s.shareId LIMIT $scanned
WHERE ($campaignId IS NULL OR s.campaignId = $campaignId)
  AND ($itemId IS NULL OR EXISTS { (s)-[:OF_ITEM]->({itemId: $itemId}) })
WITH s LIMIT $limit
MATCH (s)-[:OF_ITEM]->(i:Item)
RETURN s {
         .shareId, .channel, .platform, .campaignId, .cascadeSize, .cascadeDepth, .cascadeWidth, .structuralVirality,
         .uniqueUsers, .opens, .conversions, .revenueMinor, .revenueCurrencies, .revenueAmounts, .growth,
         .forecastSize, .forecastLow, .forecastHigh, unusual: coalesce(s.unusual, []),
         occurredAt: s.occurredAt.epochMillis, lastActivityAt: s.lastActivityAt.epochMillis,
         forecastAt: s.forecastAt.epochMillis, itemId: i.itemId, itemTitle: i.title
       } AS root
ORDER BY root.growth DESC, root.shareId

// count_roots: how many cascades there are
MATCH (s:Share)
WHERE NOT EXISTS { (s)-[:RESHARE_OF]->() }
RETURN count(s) AS roots

// page_roots: cascades in the order of their ids
MATCH (s:Share)
WHERE s.shareId > $after AND NOT EXISTS { (s)-[:RESHARE_OF]->() }
RETURN s.shareId AS shareId ORDER BY shareId LIMIT $limit

// read_whole: every share of whole cascades, with what is stored
UNWIND $ids AS id
MATCH (given:Share {shareId: id})<-[:RESHARE_OF*0..1000]-(s:Share)
USING INDEX SEEK given:Share(shareId)
RETURN id AS rootId, s.shareId AS shareId, s.occurredAt.epochMillis AS occurredMs,
       head([(s)-[:RESHARE_OF]->(p) | p.shareId]) AS parentId,
       head([(u:User)-[:SHARED]->(s) | u.userId]) AS userId,
       COUNT { (s)<-[:OPENED]-() } AS opens,
       reduce(last = null, ms IN [(s)<-[o:OPENED]-() | o.occurredAt.epochMillis] |
         CASE WHEN last >= ms THEN last ELSE coalesce(ms, last) END) AS lastOpenMs,
       s {.rootShareId, .depth, .subtreeSize, .ownOpens, .isFirst, .cascadeSize, .cascadeDepth, .cascadeWidth,
          .levelSizes, .structuralVirality, .uniqueUsers, .opens, .conversions, .revenueMinor, .revenueCurrencies,
          .revenueAmounts, .depthSum, .squareSum, .growth, lastMs: s.lastActivityAt.epochMillis} AS stored

// read_whole_purchases: every purchase that shares of whole cascades brought
UNWIND $ids AS id
MATCH (given:Share {shareId: id})<-[:RESHARE_OF*0..1000]-(share:Share)
USING INDEX SEEK given:Share(shareId)
MATCH (u:User)-[p:PURCHASED]->()
USING INDEX SEEK p:PURCHASED(shareId)
WHERE p.shareId = share.shareId
RETURN id AS rootId, p.eventId AS eventId, u.userId AS userId, p.shareId AS shareId, p.valueMinor AS valueMinor,
       p.currency AS currency, coalesce(p.refundedMinor, 0) AS refundedMinor, p.occurredAt.epochMillis AS occurredMs,
       [(u)<-[c:CONVERTED]-(s:Share) WHERE c.eventId = p.eventId | [s.shareId, c.creditMinor, c.model]] AS credits

// write_places: root and depth of shares; rows [shareId, rootShareId, depth]
UNWIND $rows AS row
MATCH (s:Share {shareId: row[0]})
USING INDEX SEEK s:Share(shareId)
REMOVE s.locked
SET s.rootShareId = row[1], s.depth = row[2]
