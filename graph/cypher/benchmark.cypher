// users: users of a prepared graph
UNWIND range($low, $high - 1) AS k
CREATE (:User {userId: 'user' + k, ix: k, consent: ['personalisation', 'sharing', 'analytics'],
  ingestedAt: datetime() - duration({hours: 1})})

// items: items of a prepared graph
UNWIND range($low, $high - 1) AS k
CREATE (:Item {itemId: 'item' + k, ix: k, category: 'category' + (k % 20), ingestedAt: datetime() - duration({hours: 1})})

// purchases: as many purchases for each user of a range, spread evenly over the items
MATCH (u:User)
WHERE u.ix >= $low AND u.ix < $high
UNWIND range(0, $each - 1) AS k
MATCH (i:Item {ix: (u.ix * 7919 + k * 104729 + u.ix / 17) % $items})
CREATE (u)-[:PURCHASED {eventId: u.ix + ':' + k, occurredAt: datetime({epochSeconds: 1700000000 + u.ix * 60 + k}),
  ingestedAt: datetime() - duration({hours: 1}), valueMinor: 1000, currency: 'EUR'}]->(i)

// purchase_count: how many purchases there are
MATCH (:User)-[r:PURCHASED]->(:Item)
RETURN count(r) AS relationships

// rows: the usual way to read: one row per relationship
MATCH (u:User)-[r:PURCHASED]->(i:Item)
RETURN u.userId AS userId, i.itemId AS itemId, r.occurredAt AS occurredAt
LIMIT $limit

// rows_of_numbers: the same with the time as a number, which the driver decodes faster
MATCH (u:User)-[r:PURCHASED]->(i:Item)
RETURN u.userId AS userId, i.itemId AS itemId, r.occurredAt.epochSeconds AS occurredAt
LIMIT $limit

// scan: the server reads the same pattern and sends nothing
MATCH (u:User)-[r:PURCHASED]->(i:Item)
RETURN count(u.userId) AS users, count(i.itemId) AS items, count(r.occurredAt) AS times

// write_lists: the usual way to write embeddings: lists as parameters
UNWIND $rows AS row
MATCH (u:User {userId: row.id})
SET u.embedding_a = row.embedding
RETURN count(u) AS written

// write_plainly: the usual way to write relationships, without a ledger; rows [userId, itemId, eventId, occurredMs]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (i:Item {itemId: row[1]})
CREATE (u)-[:LIKED {eventId: row[2], occurredAt: datetime({epochMillis: row[3]}), ingestedAt: datetime()}]->(i)

// driver_view: a view without a ledger, folded as the contract asks; rows [userId, itemId, count, ms]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (i:Item {itemId: row[1]})
MERGE (u)-[v:VIEWED]->(i)
SET v.count = coalesce(v.count, 0) + row[2], v.lastAt = datetime({epochMillis: row[3]}), v.ingestedAt = datetime()

// driver_like: a like without a ledger; rows [userId, itemId, eventId, ms]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (i:Item {itemId: row[1]})
CREATE (u)-[:LIKED {eventId: row[2], occurredAt: datetime({epochMillis: row[3]}), ingestedAt: datetime()}]->(i)

// driver_cart: something put into the cart, without a ledger; rows [userId, itemId, eventId, ms]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (i:Item {itemId: row[1]})
CREATE (u)-[:ADDED_TO_CART {eventId: row[2], occurredAt: datetime({epochMillis: row[3]}), ingestedAt: datetime()}]->(i)

// driver_purchase: a purchase without a ledger; rows [userId, itemId, eventId, ms, valueMinor, currency]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (i:Item {itemId: row[1]})
CREATE (u)-[:PURCHASED {eventId: row[2], occurredAt: datetime({epochMillis: row[3]}), ingestedAt: datetime(),
  valueMinor: row[4], currency: row[5]}]->(i)

// driver_share: a share without a ledger; rows [userId, itemId, shareId, ms, rootShareId, depth]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (i:Item {itemId: row[1]})
CREATE (u)-[:SHARED]->(:Share {shareId: row[2], occurredAt: datetime({epochMillis: row[3]}), ingestedAt: datetime(),
  rootShareId: row[4], depth: row[5]})-[:OF_ITEM]->(i)

// driver_reshare: a share below its parent, without a ledger; rows [shareId, parentShareId]
UNWIND $rows AS row
MATCH (child:Share {shareId: row[0]})
MATCH (parent:Share {shareId: row[1]})
CREATE (child)-[:RESHARE_OF]->(parent)

// driver_open: an open without a ledger; rows [userId, shareId, eventId, ms]
UNWIND $rows AS row
MATCH (u:User {userId: row[0]})
MATCH (s:Share {shareId: row[1]})
CREATE (u)-[:OPENED {eventId: row[2], occurredAt: datetime({epochMillis: row[3]}), ingestedAt: datetime()}]->(s)

// refresh_acts: sets the times of the interactions named recent within the last five days, newest first by their number
MATCH ()-[r:LIKED]->()
WHERE r.eventId STARTS WITH 'recent'
CALL (r) {
  SET r.occurredAt = datetime() - duration({minutes: toInteger(substring(r.eventId, 6)) * 7919 % 7200})
} IN TRANSACTIONS OF 20000 ROWS

// refresh_shares: sets the times of all shares without recipients within the last twenty hours
MATCH (s:Share)
WHERE s.shareId STARTS WITH 'share'
CALL (s) {
  SET s.occurredAt = datetime() - duration({minutes: toInteger(substring(s.shareId, 5)) * 7919 % 1200})
} IN TRANSACTIONS OF 20000 ROWS
