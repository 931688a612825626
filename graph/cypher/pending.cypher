// find_expired: whether an event has waited since before a time
MATCH (p:KithPending) WHERE p.createdAt < datetime.realtime() - duration({days: $days})
RETURN p.pendingId AS pendingId LIMIT 1

// lock: one process at a time drops what has waited too long
MERGE (s:KithSequence {key: 'expired'})
REMOVE s.locked

// read_expired: events that have waited too long, the oldest first
MATCH (p:KithPending) WHERE p.createdAt < datetime.realtime() - duration({days: $days})
RETURN p.pendingId AS pendingId, p.waitsFor AS waitsFor, p.body AS body
ORDER BY p.createdAt LIMIT $limit

// hold_purchases: keeps others from creating purchases that are missing, before this transaction ends
UNWIND $ids AS id
MERGE (e:Event {eventId: id})
ON CREATE SET e.placeholder = true
WITH e WHERE e.placeholder IS NOT NULL
DELETE e

// drop: drops waiting events, answers with those that still waited, and counts them
UNWIND $ids AS id
MATCH (p:KithPending {pendingId: id})
USING INDEX SEEK p:KithPending(pendingId)
DELETE p
WITH collect(id) AS dropped
MATCH (s:KithSequence {key: 'expired'})
SET s.count = coalesce(s.count, 0) + size(dropped)
RETURN dropped

// release: shares that wait for their parent no longer
UNWIND $ids AS id
MATCH (s:Share {shareId: id})
USING INDEX SEEK s:Share(shareId)
REMOVE s.waitsFor
