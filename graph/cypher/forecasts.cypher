// newest_roots: the newest roots among the newest shares, the newest first
MATCH (s:Share)
WHERE s.occurredAt <= datetime({epochMillis: $nowMs})
WITH s ORDER BY s.occurredAt DESC LIMIT $scanned
WHERE s.depth = 0
WITH s LIMIT $limit
RETURN s.shareId AS shareId, s.occurredAt.epochMillis AS startMs, coalesce(s.cascadeSize, 1) AS size

// read_shares: shares of cascades, as vectors: place in $ids, time or -1, index of a user who agreed to analytics or -1
CYPHER 25
UNWIND range(0, size($ids) - 1) AS place
CALL (place) {
  MATCH (s:Share {rootShareId: $ids[place]})
  USING INDEX SEEK s:Share(rootShareId)
  WITH s LIMIT $most
  OPTIONAL MATCH (u:User)-[:SHARED]->(s) WHERE 'analytics' IN u.consent
  RETURN coalesce(s.occurredAt.epochMillis, -1) AS at, coalesce(u.ix, -1) AS ix
}
WITH collect(place) AS place, collect(at) AS at, collect(ix) AS ix
UNWIND CASE WHEN place = [] THEN [] ELSE range(0, size(place) - 1, $block) END AS start
WITH place[start..start + $block] AS place, at[start..start + $block] AS at, ix[start..start + $block] AS ix
RETURN vector(place, size(place), INTEGER32) AS place, vector(at, size(at), INTEGER64) AS at,
       vector(ix, size(ix), INTEGER32) AS user

// count_shares: how many shares of all cascades were made in a span
MATCH (s:Share)
WHERE s.occurredAt > datetime({epochMillis: $fromMs}) AND s.occurredAt <= datetime({epochMillis: $untilMs})
WITH s LIMIT $limit
RETURN count(s) AS shares

// write_model: what was learned last, also nothing; an older learning never takes its place
MERGE (m:KithSizeModel {key: 'live'})
REMOVE m.locked
WITH m WHERE coalesce(m.triedAt.epochMillis, -1) < $triedMs
SET m.triedAt = datetime({epochMillis: $triedMs}), m.cascades = $cascades, m.shares = $shares, m.model = $model,
    m.learnedAt = CASE WHEN $model IS NULL THEN null ELSE datetime({epochMillis: $triedMs}) END,
    m.recordUsers = $recordUsers, m.recordMeans = $recordMeans

// read_tried: when learning was last tried, and from what
OPTIONAL MATCH (m:KithSizeModel {key: 'live'})
RETURN m.triedAt.epochMillis AS triedMs, m.learnedAt.epochMillis AS learnedMs, m.cascades AS cascades,
       m.shares AS shares

// read_model: the model in use, with the records of users by index
MATCH (m:KithSizeModel {key: 'live'})
WHERE m.model IS NOT NULL
RETURN m.learnedAt.epochMillis AS learnedMs, m.model AS model, m.recordUsers AS recordUsers,
       m.recordMeans AS recordMeans

// list_due: running cascades whose forecast is due, those with most going on lately first
MATCH (s:Share)
WHERE s.growth >= $least
WITH s ORDER BY s.growth DESC LIMIT $scanned
WITH s, s.occurredAt.epochMillis AS startMs, s.forecastAt.epochMillis AS beforeMs
WHERE startMs <= $nowMs AND s.cascadeSize <= $most
  AND (beforeMs IS NULL
    OR s.cascadeSize > s.forecastFrom AND s.cascadeSize >= s.forecastFrom * (1 + $part)
    OR $nowMs - beforeMs >= $leastMs AND $nowMs - beforeMs >= (beforeMs - startMs) * $part)
RETURN s.shareId AS shareId, startMs, beforeMs, s.cascadeSize AS size
LIMIT $limit

// write_forecasts: of roots that nobody forecast since beforeMs; rows [shareId, beforeMs, shares, size, low, high, codes]
UNWIND $rows AS row
MATCH (s:Share {shareId: row[0]})
USING INDEX SEEK s:Share(shareId)
REMOVE s.locked
WITH s, row
WHERE s.cascadeSize IS NOT NULL AND coalesce(s.forecastAt.epochMillis, -1) = coalesce(row[1], -1)
WITH s, row, datetime({epochMillis: $nowMs}) AS at, coalesce(s.alertedCodes, []) AS alerted,
     coalesce(s.forecastTimes, []) AS times, coalesce(s.forecastSizes, []) AS sizes,
     coalesce(s.forecastLows, []) AS lows, coalesce(s.forecastHighs, []) AS highs
WITH s, row, at, alerted, times, sizes, lows, highs, [code IN row[6] WHERE NOT code IN alerted] AS fresh,
     CASE WHEN times = [] THEN [] ELSE range(0, size(times) - 1, CASE WHEN size(times) < $kept THEN 1 ELSE 2 END) END
       AS stay
SET s.forecastAt = at, s.forecastFrom = row[2], s.forecastSize = row[3], s.forecastLow = row[4],
    s.forecastHigh = row[5],
    s.unusual = CASE WHEN row[6] = [] THEN null ELSE row[6] END,
    s.alertedCodes = CASE WHEN alerted + fresh = [] THEN null ELSE alerted + fresh END,
    s.forecastTimes = [n IN stay | times[n]] + [at], s.forecastSizes = [n IN stay | sizes[n]] + [row[3]],
    s.forecastLows = [n IN stay | lows[n]] + [row[4]], s.forecastHighs = [n IN stay | highs[n]] + [row[5]]
RETURN s.shareId AS shareId, row[2] AS shares, fresh
