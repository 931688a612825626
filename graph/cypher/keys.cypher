// create: records a key by the hash of its secret
CREATE (k:KithKey {keyId: $key_id, hash: $hash, scopes: $scopes, label: $label, createdAt: datetime.realtime(),
    expiresAt: datetime.realtime() + duration({milliseconds: $ttl_ms}), revoked: false})
RETURN toString(k.expiresAt) AS expiresAt

// find: a key's hash and whether it is still good by the server's clock
MATCH (k:KithKey {keyId: $key_id})
RETURN k.hash AS hash, k.scopes AS scopes, k.label AS label,
       NOT k.revoked AND k.expiresAt > datetime.realtime() AS live,
       (k.expiresAt.epochMillis - datetime.realtime().epochMillis) / 1000.0 AS expiresInS

// revoke: ends a key now
MATCH (k:KithKey {keyId: $key_id})
SET k.revoked = true, k.revokedAt = coalesce(k.revokedAt, datetime.realtime())
RETURN k.keyId AS keyId

// list: every key without its hash
MATCH (k:KithKey)
RETURN k.keyId AS keyId, k.label AS label, k.scopes AS scopes, k.revoked AS revoked,
       toString(k.createdAt) AS createdAt, toString(k.expiresAt) AS expiresAt,
       k.expiresAt <= datetime.realtime() AS expired
ORDER BY k.createdAt DESC
LIMIT $limit
