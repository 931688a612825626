// gave_snapshot: whether this graph gave the snapshot
RETURN EXISTS { MATCH (:KithSnapshot {snapshotId: $snapshot_id}) } AS gave
