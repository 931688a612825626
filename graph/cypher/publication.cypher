// lock: takes the writer's lock, so that what the transaction reads next stays true until its end
MERGE (w:KithPublication {key: 'publication'})
ON CREATE SET w.lastBuild = 0
SET w.lockedAt = datetime.realtime()

// state: who writes, what each slot holds, what is live; quietMs: how long the idle slot must still be left alone
MATCH (w:KithPublication {key: 'publication'})
OPTIONAL MATCH (p:Published {key: 'live'})
RETURN w.writerBuild AS writerBuild, w.writerOwner AS writerOwner,
       coalesce(w.writerUntil > datetime.realtime(), false) AS writing,
       w.build_a AS buildA, w.build_b AS buildB, w.modelVersion_a AS modelVersionA, w.modelVersion_b AS modelVersionB,
       p.slot AS slot, p.build AS build, p.modelVersion AS modelVersion, coalesce(p.publicationSeq, 0) AS publicationSeq,
       w.canonicalBuild AS canonicalBuild,
       coalesce($grace_ms - (datetime.realtime().epochMillis - p.flippedAt.epochMillis), 0) AS quietMs

// begin: gives the idle slot to a writer under the next build number; what it held is gone
CYPHER 25
MATCH (w:KithPublication {key: 'publication'})
SET w.lastBuild = w.lastBuild + 1, w.writerBuild = w.lastBuild + 1, w.writerOwner = $owner,
    w.writerUntil = datetime.realtime() + duration({milliseconds: $lease_ms}),
    w['build_' + $slot] = null, w['modelVersion_' + $slot] = null
RETURN w.writerBuild AS build

// renew: extends the writer's lease; no row when another writer has taken over
MATCH (w:KithPublication {key: 'publication'})
WHERE w.writerBuild = $build
SET w.writerUntil = datetime.realtime() + duration({milliseconds: $lease_ms})
RETURN w.writerBuild AS build

// abandon: gives the slot back, unfinished
MATCH (w:KithPublication {key: 'publication'})
WHERE w.writerBuild = $build
SET w.writerBuild = null, w.writerOwner = null, w.writerUntil = null

// write_users: writes rows of the slot for users who agree; influence only for those who agree to sharing
CYPHER 25
UNWIND $rows AS row
MATCH (u:User {userId: row.id})
WHERE 'personalisation' IN u.consent
SET u['build_' + $slot] = $build,
    u['embedding_' + $slot] = toFloatList(row.embedding),
    u['recommendedItems_' + $slot] = row.items,
    u['recommendedScores_' + $slot] = toFloatList(row.scores),
    u['recommendedReasons_' + $slot] = toIntegerList(row.reasons),
    u['influenceScore_' + $slot] = CASE WHEN 'sharing' IN u.consent THEN row.influence END,
    u['influencePercentile_' + $slot] = CASE WHEN 'sharing' IN u.consent THEN row.percentile END,
    u['influenceError_' + $slot] = CASE WHEN 'sharing' IN u.consent THEN row.error END,
    u['influencesUsers_' + $slot] = CASE WHEN 'sharing' IN u.consent THEN row.users END,
    u['influencesProbabilities_' + $slot] = CASE WHEN 'sharing' IN u.consent THEN toFloatList(row.probabilities) END
RETURN count(u) AS written

// write_items: writes rows of the slot for items
CYPHER 25
UNWIND $rows AS row
MATCH (i:Item {itemId: row.id})
SET i['build_' + $slot] = $build,
    i['embedding_' + $slot] = toFloatList(row.embedding),
    i['similarItems_' + $slot] = row.items,
    i['similarScores_' + $slot] = toFloatList(row.scores)
RETURN count(i) AS written

// clear_users: takes from the slot what is not of this build, and users who have taken their consent back
CYPHER 25
MATCH (u:User)
WHERE u['build_' + $slot] IS NOT NULL
  AND (u['build_' + $slot] <> $build OR NOT 'personalisation' IN coalesce(u.consent, []))
WITH u LIMIT $limit
REMOVE u['build_' + $slot], u['embedding_' + $slot], u['recommendedItems_' + $slot], u['recommendedScores_' + $slot],
       u['recommendedReasons_' + $slot], u['influenceScore_' + $slot], u['influencePercentile_' + $slot],
       u['influenceError_' + $slot], u['influencesUsers_' + $slot], u['influencesProbabilities_' + $slot]
RETURN count(u) AS cleared

// clear_influence: takes the influence of users who no longer agree to sharing from the slot
CYPHER 25
MATCH (u:User)
WHERE u['influenceScore_' + $slot] IS NOT NULL AND NOT 'sharing' IN coalesce(u.consent, [])
WITH u LIMIT $limit
REMOVE u['influenceScore_' + $slot], u['influencePercentile_' + $slot], u['influenceError_' + $slot],
       u['influencesUsers_' + $slot], u['influencesProbabilities_' + $slot]
RETURN count(u) AS cleared

// clear_items: takes from the slot what is not of this build
CYPHER 25
MATCH (i:Item)
WHERE i['build_' + $slot] IS NOT NULL AND i['build_' + $slot] <> $build
WITH i LIMIT $limit
REMOVE i['build_' + $slot], i['embedding_' + $slot], i['similarItems_' + $slot], i['similarScores_' + $slot]
RETURN count(i) AS cleared

// newest_transaction: the number of the server's newest transaction; this one is at most a few older
SHOW TRANSACTIONS YIELD database, transactionId
WHERE database <> 'system'
RETURN max(toInteger(last(split(transactionId, '-')))) AS number

// indexes_offline: vector indexes of the slot that cannot answer
SHOW VECTOR INDEXES YIELD name, state
WHERE name IN [prefix IN ['user_embedding_', 'item_embedding_'] | prefix + $slot] AND state <> 'ONLINE'
RETURN name, state

// flip: makes the written slot the live one; no row when another publication came between
CYPHER 25
MATCH (w:KithPublication {key: 'publication'})
WHERE w.writerBuild = $build
MERGE (p:Published {key: 'live'})
WITH w, p
WHERE coalesce(p.publicationSeq, 0) = $expected_seq
SET p.live = [$slot, toString($build), $model_version, toString($expected_seq + 1)],
    p.slot = $slot, p.build = $build, p.modelVersion = $model_version, p.publicationSeq = $expected_seq + 1,
    p.flippedAt = datetime.realtime(),
    w['build_' + $slot] = $build, w['modelVersion_' + $slot] = $model_version,
    w.writerBuild = null, w.writerOwner = null, w.writerUntil = null
RETURN p.publicationSeq AS publicationSeq

// flip_back: makes the other slot, whole as it was left, the live one again under a new number
CYPHER 25
MATCH (w:KithPublication {key: 'publication'})
MATCH (p:Published {key: 'live'})
WHERE p.publicationSeq = $expected_seq AND w['build_' + $slot] = $build
SET p.live = [$slot, toString($build), w['modelVersion_' + $slot], toString($expected_seq + 1)],
    p.slot = $slot, p.build = $build, p.modelVersion = w['modelVersion_' + $slot],
    p.publicationSeq = $expected_seq + 1, p.flippedAt = datetime.realtime()
RETURN p.publicationSeq AS publicationSeq, p.modelVersion AS modelVersion

// record_model: keeps what is known of a model that was published; figures are numbers to query by
MERGE (m:ModelVersion {modelVersion: $model_version})
SET m += $figures
SET m.snapshotId = $snapshot_id, m.codeVersion = $code_version, m.metrics = $metrics, m.summary = $summary,
    m.comparison = $comparison, m.trainedAt = datetime({epochSeconds: $trained_at_s}),
    m.publishedAt = datetime.realtime(), m.publicationSeq = $publication_seq, m.heldAt = null

// record_held: keeps what is known of a model that was compared and not published, and why
MERGE (m:ModelVersion {modelVersion: $model_version})
SET m += $figures
SET m.snapshotId = $snapshot_id, m.codeVersion = $code_version, m.metrics = $metrics, m.summary = $summary,
    m.comparison = $comparison, m.trainedAt = datetime({epochSeconds: $trained_at_s}),
    m.heldAt = datetime.realtime()

// record_again: notes under which number a known model was published again
MATCH (m:ModelVersion {modelVersion: $model_version})
SET m.publishedAt = datetime.realtime(), m.publicationSeq = $publication_seq

// published: what readers see now
MATCH (p:Published {key: 'live'})
OPTIONAL MATCH (w:KithPublication {key: 'publication'})
RETURN p.slot AS slot, p.build AS build, p.modelVersion AS modelVersion, p.publicationSeq AS publicationSeq,
       toString(p.flippedAt) AS flippedAt, coalesce(w.canonicalBuild = p.build, false) AS canonical

// models: every model that was published or held back, the newest first; the whole card only where there is no summary
MATCH (m:ModelVersion)
OPTIONAL MATCH (p:Published {key: 'live'})
OPTIONAL MATCH (w:KithPublication {key: 'publication'})
RETURN m.modelVersion AS modelVersion, m.snapshotId AS snapshotId, m.codeVersion AS codeVersion, m.summary AS summary,
       CASE WHEN m.summary IS NULL THEN m.metrics END AS metrics, m.comparison AS comparison,
       toString(m.trainedAt) AS trainedAt, toString(m.publishedAt) AS publishedAt, toString(m.heldAt) AS heldAt,
       m.publicationSeq AS publicationSeq, coalesce(p.modelVersion = m.modelVersion, false) AS live,
       m.publicationSeq IS NULL AS heldBack,
       m.modelVersion IN [version IN [w.modelVersion_a, w.modelVersion_b] WHERE version IS NOT NULL] AS inSlot
ORDER BY coalesce(m.publishedAt, m.heldAt) DESC, m.publicationSeq DESC
LIMIT $limit

// model: one model with its whole card
MATCH (m:ModelVersion {modelVersion: $model_version})
OPTIONAL MATCH (p:Published {key: 'live'})
OPTIONAL MATCH (w:KithPublication {key: 'publication'})
RETURN m.modelVersion AS modelVersion, m.snapshotId AS snapshotId, m.codeVersion AS codeVersion, m.metrics AS card,
       m.comparison AS comparison, toString(m.trainedAt) AS trainedAt, toString(m.publishedAt) AS publishedAt,
       toString(m.heldAt) AS heldAt, m.publicationSeq AS publicationSeq,
       coalesce(p.modelVersion = m.modelVersion, false) AS live, m.publicationSeq IS NULL AS heldBack,
       m.modelVersion IN [version IN [w.modelVersion_a, w.modelVersion_b] WHERE version IS NOT NULL] AS inSlot
