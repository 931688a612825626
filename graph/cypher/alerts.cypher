// add: raises alerts; rows [alertId, shareId, code, shares]
UNWIND $rows AS row
MERGE (a:KithAlert {alertId: row[0]})
ON CREATE SET a.kind = $kind, a.shareId = row[1], a.code = row[2], a.shares = row[3],
  a.raisedAt = datetime({epochMillis: $nowMs})

// newest: the newest alerts, with what their cascades are now
MATCH (a:KithAlert)
WHERE ($code IS NULL OR a.code = $code) AND a.raisedAt IS NOT NULL
WITH a ORDER BY a.raisedAt DESC, a.alertId LIMIT $limit
OPTIONAL MATCH (s:Share {shareId: a.shareId})
OPTIONAL MATCH (r:Share {shareId: s.rootShareId})
RETURN a.alertId AS alertId, a.kind AS kind, a.code AS code, a.shareId AS shareId, a.shares AS shares,
       a.raisedAt.epochMillis AS raisedAt, r.shareId AS rootShareId, r.cascadeSize AS cascadeSize
ORDER BY a.raisedAt DESC, a.alertId

// prune: removes alerts that are old, or more than are kept, the oldest
MATCH (a:KithAlert)
WITH a ORDER BY a.raisedAt DESC SKIP $kept LIMIT $limit
DELETE a

// forget: removes alerts from before some days
MATCH (a:KithAlert)
WHERE a.raisedAt < datetime.realtime() - duration({days: $days})
WITH a LIMIT $limit
DELETE a
