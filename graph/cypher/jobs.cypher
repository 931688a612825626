// create: records a job as queued; an id that exists keeps its job
MERGE (j:KithJob {jobId: $job_id})
ON CREATE SET j.kind = $kind, j.state = 'queued', j.options = $options, j.progress = 0.0, j.stage = 'queued',
    j.message = '', j.createdAt = datetime.realtime(), j.enqueuedAt = datetime.realtime(), j.fence = 0,
    j.attempts = 0, j.cancelRequested = false
RETURN j.jobId AS jobId

// lock: takes the job's write lock, so that what the transaction reads next stays true until its end
MATCH (j:KithJob {jobId: $job_id})
SET j.lockedAt = datetime.realtime()
RETURN j.jobId AS jobId

// read_claimable: what decides whether a worker may take the job
MATCH (j:KithJob {jobId: $job_id})
RETURN j.state AS state, j.attempts AS attempts, j.cancelRequested AS cancelRequested,
       coalesce(j.leaseUntil > datetime.realtime(), false) AS leased

// take: gives the job to a worker under the next fencing number
MATCH (j:KithJob {jobId: $job_id})
SET j.state = 'running', j.fence = j.fence + 1, j.attempts = j.attempts + 1, j.worker = $worker,
    j.startedAt = coalesce(j.startedAt, datetime.realtime()),
    j.leaseUntil = datetime.realtime() + duration({milliseconds: $lease_ms})
RETURN j.kind AS kind, j.options AS options, j.fence AS fence, j.attempts AS attempts

// end: closes a job whatever its fence, for jobs that nobody runs
MATCH (j:KithJob {jobId: $job_id})
SET j.state = $state, j.finishedAt = datetime.realtime(), j.leaseUntil = null, j.error = $error
RETURN j.jobId AS jobId

// renew: extends the lease of the worker that holds the fence; no row when it is lost
MATCH (j:KithJob {jobId: $job_id})
WHERE j.fence = $fence AND j.state = 'running'
SET j.leaseUntil = datetime.realtime() + duration({milliseconds: $lease_ms})
RETURN j.cancelRequested AS cancelRequested

// forfeit: ends the lease of a worker that is known to be dead
MATCH (j:KithJob {jobId: $job_id})
WHERE j.state = 'running' AND j.worker = $worker
SET j.leaseUntil = datetime.realtime()

// report: extends the lease and records how far the job is; no row when the fence is lost
MATCH (j:KithJob {jobId: $job_id})
WHERE j.fence = $fence AND j.state = 'running'
SET j.leaseUntil = datetime.realtime() + duration({milliseconds: $lease_ms}),
    j.progress = $progress, j.stage = $stage, j.message = $message
RETURN j.cancelRequested AS cancelRequested

// check_fence: whether this worker still holds the job, inside the transaction of its effect
MATCH (j:KithJob {jobId: $job_id})
WHERE j.fence = $fence AND j.state = 'running'
RETURN j.cancelRequested AS cancelRequested

// close: ends the job for the worker that holds the fence; no row when it is lost
MATCH (j:KithJob {jobId: $job_id})
WHERE j.fence = $fence AND j.state = 'running'
SET j.state = $state, j.finishedAt = datetime.realtime(), j.leaseUntil = null, j.result = $result, j.error = $error,
    j.stage = $state, j.message = coalesce($message, j.message),
    j.progress = CASE WHEN $state IN ['done', 'held'] THEN 1.0 ELSE j.progress END
RETURN j.jobId AS jobId

// release: hands the job back to the queue after a failure that may pass; no row when the fence is lost
MATCH (j:KithJob {jobId: $job_id})
WHERE j.fence = $fence AND j.state = 'running'
SET j.state = 'queued', j.leaseUntil = null, j.stage = 'queued', j.message = $message,
    j.enqueuedAt = datetime.realtime()
RETURN j.attempts AS attempts

// request_cancel: a queued job is cancelled at once, a running one is asked to stop
MATCH (j:KithJob {jobId: $job_id})
WHERE j.state IN ['queued', 'running']
SET j.cancelRequested = true,
    j.finishedAt = CASE WHEN j.state = 'queued' THEN datetime.realtime() ELSE j.finishedAt END,
    j.state = CASE WHEN j.state = 'queued' THEN 'cancelled' ELSE j.state END
RETURN j.state AS state

// get: one job
MATCH (j:KithJob {jobId: $job_id})
RETURN j {.jobId, .kind, .state, .options, .progress, .stage, .message, .attempts, .cancelRequested, .result, .error,
          .worker, createdAt: toString(j.createdAt), startedAt: toString(j.startedAt),
          finishedAt: toString(j.finishedAt)} AS job

// list: the newest jobs, of one kind or state if given
MATCH (j:KithJob)
WHERE ($kind IS NULL OR j.kind = $kind) AND ($state IS NULL OR j.state = $state)
RETURN j {.jobId, .kind, .state, .options, .progress, .stage, .message, .attempts, .cancelRequested, .result, .error,
          .worker, createdAt: toString(j.createdAt), startedAt: toString(j.startedAt),
          finishedAt: toString(j.finishedAt)} AS job
ORDER BY j.createdAt DESC
LIMIT $limit

// take_stale: jobs that wait too long or whose worker is gone, each at most once per waiting time
MATCH (j:KithJob)
WHERE j.state IN ['queued', 'running']
SET j.lockedAt = datetime.realtime()
WITH j, datetime.realtime() AS now
WHERE (j.state = 'queued' AND j.enqueuedAt < now - duration({milliseconds: $waiting_ms}))
   OR (j.state = 'running' AND j.leaseUntil < now
       AND (j.enqueuedAt < j.leaseUntil OR j.enqueuedAt < now - duration({milliseconds: $waiting_ms})))
WITH j, now ORDER BY j.createdAt LIMIT $limit
SET j.enqueuedAt = now
RETURN j.jobId AS jobId, j.kind AS kind, j.state AS state

// prune: removes jobs that ended long ago
MATCH (j:KithJob)
WHERE j.state IN ['done', 'held', 'failed', 'cancelled'] AND j.finishedAt < datetime.realtime() - duration({days: $days})
WITH j LIMIT $limit
DETACH DELETE j
RETURN count(*) AS removed
