// read_version: the schema version that this graph was last given, if any
OPTIONAL MATCH (s:KithSchema {key: 'schema'})
RETURN s.version AS version

// write_version: records the schema version, never a smaller one
MERGE (s:KithSchema {key: 'schema'})
SET s.version = CASE WHEN coalesce(s.version, 0) < $version THEN $version ELSE s.version END,
    s.appliedAt = datetime()
RETURN s.version AS version

// await_indexes: waits until every index can be used
CALL db.awaitIndexes($seconds)

// list_constraints: names of the constraints that exist
SHOW CONSTRAINTS YIELD name RETURN name

// list_indexes: names, states and population of the indexes that exist
SHOW INDEXES YIELD name, state, populationPercent RETURN name, state, populationPercent

// note_shares: notes shares that no cascade counts, as their writer would have
MATCH (s:Share)
WHERE s.subtreeSize IS NULL
CALL (s) {
  WITH s, reduce(last = coalesce(s.occurredAt.epochMillis, -1), ms IN [(s)<-[o:OPENED]-() | o.occurredAt.epochMillis] |
    CASE WHEN ms > last THEN ms ELSE last END) AS last
  CREATE (:KithTouch {shareIds: [s.shareId], lastMs: [last], purchaseIds: [], at: datetime()})
} IN TRANSACTIONS OF 5000 ROWS

// note_purchases: notes purchases that a share brought and nobody is credited with
MATCH ()-[p:PURCHASED]->()
WHERE p.shareId IS NOT NULL
CALL (p) {
  CREATE (:KithTouch {shareIds: [], lastMs: [], purchaseIds: [p.eventId], at: datetime()})
} IN TRANSACTIONS OF 5000 ROWS

// list_property_keys: names of the properties that the store knows
CALL db.propertyKeys() YIELD propertyKey RETURN propertyKey AS name

// locked: a property that no node ever has; taking it away locks a node, if the store knows its name
CALL db.createProperty('locked')

// schema_key: one schema record
CREATE CONSTRAINT schema_key IF NOT EXISTS FOR (s:KithSchema) REQUIRE s.key IS UNIQUE

// user_id: one node per user
CREATE CONSTRAINT user_id IF NOT EXISTS FOR (u:User) REQUIRE u.userId IS UNIQUE

// item_id: one node per item
CREATE CONSTRAINT item_id IF NOT EXISTS FOR (i:Item) REQUIRE i.itemId IS UNIQUE

// share_id: one node per share
CREATE CONSTRAINT share_id IF NOT EXISTS FOR (s:Share) REQUIRE s.shareId IS UNIQUE

// event_id: one ledger entry per event, so one effect per event
CREATE CONSTRAINT event_id IF NOT EXISTS FOR (e:Event) REQUIRE e.eventId IS UNIQUE

// purchase_event: purchases by event, for refunds
CREATE CONSTRAINT purchase_event IF NOT EXISTS FOR ()-[p:PURCHASED]-() REQUIRE p.eventId IS UNIQUE

// purchase_share: purchases by the share that brought them
CREATE INDEX purchase_share IF NOT EXISTS FOR ()-[p:PURCHASED]-() ON (p.shareId)

// share_growth: cascades by growth
CREATE INDEX share_growth IF NOT EXISTS FOR (s:Share) ON (s.growth)

// credit_id: one credit per purchase, share and attribution model
CREATE CONSTRAINT credit_id IF NOT EXISTS FOR ()-[c:CONVERTED]-() REQUIRE c.creditId IS UNIQUE

// campaign_id: one node per campaign
CREATE CONSTRAINT campaign_id IF NOT EXISTS FOR (c:Campaign) REQUIRE c.campaignId IS UNIQUE

// category_name: one node per category
CREATE CONSTRAINT category_name IF NOT EXISTS FOR (c:Category) REQUIRE c.name IS UNIQUE

// model_version: one node per trained model
CREATE CONSTRAINT model_version IF NOT EXISTS FOR (m:ModelVersion) REQUIRE m.modelVersion IS UNIQUE

// published_key: one published record
CREATE CONSTRAINT published_key IF NOT EXISTS FOR (p:Published) REQUIRE p.key IS UNIQUE

// pending_id: one record per event that waits for another
CREATE CONSTRAINT pending_id IF NOT EXISTS FOR (p:KithPending) REQUIRE p.pendingId IS UNIQUE

// pending_waits_for: waiting events by what they wait for
CREATE INDEX pending_waits_for IF NOT EXISTS FOR (p:KithPending) ON (p.waitsFor)

// pending_created_at: waiting events by since when they wait
CREATE INDEX pending_created_at IF NOT EXISTS FOR (p:KithPending) ON (p.createdAt)

// size_model_key: one model of how cascades grow
CREATE CONSTRAINT size_model_key IF NOT EXISTS FOR (m:KithSizeModel) REQUIRE m.key IS UNIQUE

// alert_id: one alert per cascade and code
CREATE CONSTRAINT alert_id IF NOT EXISTS FOR (a:KithAlert) REQUIRE a.alertId IS UNIQUE

// alert_raised_at: alerts by time
CREATE INDEX alert_raised_at IF NOT EXISTS FOR (a:KithAlert) ON (a.raisedAt)

// ended_tie_key: one record per tie that was ended
CREATE CONSTRAINT ended_tie_key IF NOT EXISTS FOR (e:KithEndedTie) REQUIRE e.tieKey IS UNIQUE

// job_id: one record per job
CREATE CONSTRAINT job_id IF NOT EXISTS FOR (j:KithJob) REQUIRE j.jobId IS UNIQUE

// key_id: one record per API key
CREATE CONSTRAINT key_id IF NOT EXISTS FOR (k:KithKey) REQUIRE k.keyId IS UNIQUE

// session_hash: one record per session of the console
CREATE CONSTRAINT session_hash IF NOT EXISTS FOR (s:KithSession) REQUIRE s.hash IS UNIQUE

// session_key: sessions by their key
CREATE INDEX session_key IF NOT EXISTS FOR (s:KithSession) ON (s.keyId)

// publication_key: one record of who writes which slot
CREATE CONSTRAINT publication_key IF NOT EXISTS FOR (w:KithPublication) REQUIRE w.key IS UNIQUE

// sequence_key: one counter per label for the export's dense index
CREATE CONSTRAINT sequence_key IF NOT EXISTS FOR (s:KithSequence) REQUIRE s.key IS UNIQUE

// snapshot_id: one record per snapshot that was exported
CREATE CONSTRAINT snapshot_id IF NOT EXISTS FOR (s:KithSnapshot) REQUIRE s.snapshotId IS UNIQUE

// user_ix: users by the export's dense index
CREATE INDEX user_ix IF NOT EXISTS FOR (u:User) ON (u.ix)

// item_ix: items by the export's dense index
CREATE INDEX item_ix IF NOT EXISTS FOR (i:Item) ON (i.ix)

// share_ix: shares by the export's dense index
CREATE INDEX share_ix IF NOT EXISTS FOR (s:Share) ON (s.ix)

// item_category: items by category
CREATE INDEX item_category IF NOT EXISTS FOR (i:Item) ON (i.category)

// item_ingested_at: items by when they were written last
CREATE INDEX item_ingested_at IF NOT EXISTS FOR (i:Item) ON (i.ingestedAt)

// share_occurred_at: shares by time
CREATE INDEX share_occurred_at IF NOT EXISTS FOR (s:Share) ON (s.occurredAt)

// share_root: shares by cascade
CREATE INDEX share_root IF NOT EXISTS FOR (s:Share) ON (s.rootShareId)

// job_state: jobs by state
CREATE INDEX job_state IF NOT EXISTS FOR (j:KithJob) ON (j.state)

// influence_score: users by influence, for analysts
CREATE INDEX influence_score IF NOT EXISTS FOR (u:User) ON (u.influenceScore)

// influence_score_a: users by influence in slot a
CREATE INDEX influence_score_a IF NOT EXISTS FOR (u:User) ON (u.influenceScore_a)

// influence_score_b: users by influence in slot b
CREATE INDEX influence_score_b IF NOT EXISTS FOR (u:User) ON (u.influenceScore_b)

// item_text: items by words of title and description
CREATE FULLTEXT INDEX item_text IF NOT EXISTS FOR (i:Item) ON EACH [i.title, i.description, i.category, i.brand]

// user_embedding_a: users by vector in slot a
CREATE VECTOR INDEX user_embedding_a IF NOT EXISTS FOR (u:User) ON u.embedding_a
OPTIONS {indexConfig: {`vector.similarity_function`: 'cosine', `vector.quantization.enabled`: false}}

// user_embedding_b: users by vector in slot b
CREATE VECTOR INDEX user_embedding_b IF NOT EXISTS FOR (u:User) ON u.embedding_b
OPTIONS {indexConfig: {`vector.similarity_function`: 'cosine', `vector.quantization.enabled`: false}}

// item_embedding_a: items by vector in slot a
CREATE VECTOR INDEX item_embedding_a IF NOT EXISTS FOR (i:Item) ON i.embedding_a
OPTIONS {indexConfig: {`vector.similarity_function`: 'cosine', `vector.quantization.enabled`: false}}

// item_embedding_b: items by vector in slot b
CREATE VECTOR INDEX item_embedding_b IF NOT EXISTS FOR (i:Item) ON i.embedding_b
OPTIONS {indexConfig: {`vector.similarity_function`: 'cosine', `vector.quantization.enabled`: false}}
