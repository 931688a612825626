// state: the published version, its writer, the last sweep and what waits; ages in seconds by the server's clock
OPTIONAL MATCH (p:Published {key: 'live'})
OPTIONAL MATCH (m:ModelVersion {modelVersion: p.modelVersion})
OPTIONAL MATCH (w:KithPublication {key: 'publication'})
OPTIONAL MATCH (s:KithSchema {key: 'schema'})
WITH p, m, w, s, datetime.realtime().epochMillis AS now
RETURN p.modelVersion AS modelVersion, p.publicationSeq AS publicationSeq,
       (now - m.trainedAt.epochMillis) / 1000.0 AS trainedAgeS,
       (now - p.flippedAt.epochMillis) / 1000.0 AS publishedAgeS,
       w.writerBuild IS NOT NULL AS writing,
       CASE WHEN w.writerBuild IS NOT NULL THEN (now - w.writerUntil.epochMillis) / 1000.0 END AS writerOverdueS,
       (now - s.sweptAt.epochMillis) / 1000.0 AS sweptAgeS,
       now / 1000.0 AS serverTimeS,
       COUNT { (:Event) } AS ledgerEvents,
       COUNT { (:KithPending) } AS pendingEvents,
       COLLECT { MATCH (e:KithSequence {key: 'expired'}) RETURN e.count }[0] AS expiredEvents,
       (now - COLLECT { MATCH (e:KithPending) WHERE e.createdAt > datetime({epochMillis: 0})
         RETURN e.createdAt.epochMillis ORDER BY e.createdAt LIMIT 1 }[0]) / 1000.0 AS pendingS,
       COLLECT {
         MATCH (a:KithAlert) WITH a.kind AS kind, a.code AS code, count(*) AS alerts RETURN {kind: kind, code: code, alerts: alerts}
       } AS alerts,
       (now - COLLECT { MATCH (z:KithSizeModel {key: 'live'}) RETURN z.learnedAt.epochMillis }[0]) / 1000.0
         AS sizeModelAgeS,
       COUNT { (:KithTouch) } AS uncountedNotes,
       (now - COLLECT { MATCH (t:KithTouch) RETURN t.at.epochMillis LIMIT 1 }[0]) / 1000.0 AS uncountedS

// jobs: how many jobs of each kind are in each state, since when the oldest was asked for, how many lost their worker
MATCH (j:KithJob)
WITH j.kind AS kind, j.state AS state, count(*) AS jobs, min(j.createdAt) AS oldest, min(j.leaseUntil) AS lease,
     sum(CASE WHEN j.leaseUntil < datetime.realtime() THEN 1 ELSE 0 END) AS expired
RETURN kind, state, jobs, expired,
       (datetime.realtime().epochMillis - oldest.epochMillis) / 1000.0 AS oldestS,
       (datetime.realtime().epochMillis - lease.epochMillis) / 1000.0 AS leaseOverdueS

// note_sweep: says that a sweeper has just done its round
MATCH (s:KithSchema {key: 'schema'})
SET s.sweptAt = datetime.realtime()

// try_write: a write that fails when the graph takes none at all
MATCH (s:KithSchema {key: 'schema'})
SET s.writtenAt = datetime.realtime()
