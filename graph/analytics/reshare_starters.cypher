// Who starts most reshares?
// Sharers of the last days, counted back from the newest share, by how often others passed their shares on.
// param days: how many days back
// columns: userId, shares, reshares, resharesPerShare, influenceScore
WITH 30 AS days
CALL () {
  MATCH (s:Share)
  WHERE s.occurredAt IS NOT NULL
  RETURN s.occurredAt AS newest ORDER BY newest DESC LIMIT 1
}
MATCH (s:Share)
WHERE s.occurredAt >= newest - duration({days: days})
MATCH (u:User)-[:SHARED]->(s)
WHERE 'analytics' IN u.consent
WITH u, count(s) AS shares, sum(COUNT { (s)<-[:RESHARE_OF]-() }) AS reshares
RETURN u.userId AS userId, shares, reshares, round(toFloat(reshares) / shares, 2) AS resharesPerShare,
       u.influenceScore AS influenceScore
ORDER BY reshares DESC, shares, userId
LIMIT 20
