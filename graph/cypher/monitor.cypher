// state: the published version, its writer, the last sweep and what waits; ages in seconds by the server's clock
OPTIONAL MATCH (p:Published {key: 'live'})
OPTIONAL MATCH (m:ModelVersion {modelVersion: p.modelVersion})
OPTIONAL MATCH (w:KithPublication {key: 'publication'})
OPTIONAL MATCH (s:KithSchema {key: 'schema'})
WITH p, m, w, s, datetime.realtime().epochMillis AS now
RETURN p.modelVersion AS modelVersion, p.publicationSeq AS publicationSeq,
       (now - m.trainedAt.epochMillis) / 1000.0 AS trainedAgeS,
       coalesce(now / 1000.0 - m.fullWatermarkS, (now - m.trainedAt.epochMillis) / 1000.0) AS fullTrainingAgeS,
       (now - p.flippedAt.epochMillis) / 1000.0 AS publishedAgeS,
       w.writerBuild IS NOT NULL AS writing,
       CASE WHEN w.writerBuild IS NOT NULL THEN (now - w.writerUntil.epochMillis) / 1000.0 END AS writerOverdueS,
       (now - s.sweptAt.epochMillis) / 1000.0 AS sweptAgeS,
       now / 1000.0 AS serverTimeS,
       COUNT { (:Event) } AS ledgerEvents,
       COUNT { (:KithPending) } AS pendingEvents,
       COUNT { (:KithTouch) } AS uncountedNotes,
       (now - COLLECT { MATCH (t:KithTouch) RETURN t.at.epochMillis LIMIT 1 }[0]) / 1000.0 AS uncountedS

// waiting: events that wait too long, alerts and the model of how cascades grow; apart from the state: quicker to plan
OPTIONAL MATCH (e:KithSequence {key: 'expired'})
OPTIONAL MATCH (z:KithSizeModel {key: 'live'})
WITH e.count AS expiredEvents, z.learnedAt.epochMillis AS learnedMs, datetime.realtime().epochMillis AS now
RETURN expiredEvents, (now - learnedMs) / 1000.0 AS sizeModelAgeS,
       (now - COLLECT { MATCH (o:KithPending) WHERE o.createdAt IS NOT NULL
         RETURN o.createdAt.epochMillis ORDER BY o.createdAt LIMIT 1 }[0]) / 1000.0 AS pendingS

// alerts: how many of each kind and code are kept
MATCH (a:KithAlert)
RETURN a.kind AS kind, a.code AS code, count(*) AS alerts

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
