// begin: records a session of a key that is still good, by the hash of its token
MATCH (k:KithKey {keyId: $keyId})
WHERE NOT k.revoked AND k.expiresAt > datetime.realtime()
WITH k, datetime.realtime() + duration({milliseconds: $ttlMs}) AS latest
CREATE (s:KithSession {
  hash: $hash, keyId: k.keyId, createdAt: datetime.realtime(),
  expiresAt: CASE WHEN k.expiresAt < latest THEN k.expiresAt ELSE latest END
})
RETURN toString(s.expiresAt) AS expiresAt

// limit: ends the oldest sessions of a key that has too many
MATCH (s:KithSession {keyId: $keyId})
WITH s ORDER BY s.createdAt DESC, s.hash SKIP $most
DELETE s

// sweep: removes sessions that have expired
MATCH (s:KithSession)
WHERE s.expiresAt <= datetime.realtime()
WITH s LIMIT $limit
DELETE s

// find: the key of a session, if both are still good by the server's clock
MATCH (s:KithSession {hash: $hash})
WHERE s.expiresAt > datetime.realtime()
MATCH (k:KithKey {keyId: s.keyId})
WHERE NOT k.revoked AND k.expiresAt > datetime.realtime()
RETURN k.keyId AS keyId, k.scopes AS scopes, k.label AS label,
       (s.expiresAt.epochMillis - datetime.realtime().epochMillis) / 1000.0 AS expiresInS

// end: ends a session now
MATCH (s:KithSession {hash: $hash})
DELETE s
