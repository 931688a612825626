// Why does a user's share work?
// P(u->v) = alpha S / D + beta C / N along a user's friendships, term by term, beside the learned probability.
// param userId: whose shares; null takes the user whose shares reach most others
// columns: userId, friendId, s, d, c, n, tieTerm, actTerm, formula, learned, modelVersion
WITH null AS userId
OPTIONAL CALL () {
  MATCH (top:User)
  WHERE top.influenceScore > 0 AND 'analytics' IN top.consent
  RETURN top.userId AS topUserId ORDER BY top.influenceScore DESC LIMIT 1
}
MATCH (u:User {userId: coalesce(userId, topUserId)})
WHERE 'analytics' IN u.consent
OPTIONAL MATCH (m:ModelVersion {modelVersion: u.modelVersion})
WITH u, m, coalesce(m.influenceTieBySender, 1) = 1 AS tieBySender,
     coalesce(m.influenceActBySender, 1) = 1 AS actBySender, coalesce(m.influenceByReshares, 1) = 1 AS byReshares
MATCH (u)-[f:FRIEND]-(v:User)
WHERE 'analytics' IN v.consent
WITH u, v, m, coalesce(f.strength, 1.0) AS s, CASE WHEN tieBySender THEN u ELSE v END AS circle,
     actBySender, byReshares
WITH u, v, m, s, actBySender, byReshares,
     reduce(sum = 0.0, t IN COLLECT { MATCH (circle)-[g:FRIEND]-() RETURN coalesce(g.strength, 1.0) } | sum + t) AS d,
     CASE WHEN byReshares THEN COUNT { (u)-[:SHARED]->(:Share)<-[:RESHARE_OF]-(:Share)<-[:SHARED]-(v) }
          ELSE COUNT { (u)-[:SHARED]->(:Share)<-[:OPENED]-(v) } END AS c
WITH u, v, m, s, d, c,
     CASE WHEN actBySender THEN COUNT { (u)-[:SHARED]->(:Share) }
          WHEN byReshares THEN COUNT { (v)-[:SHARED]->(:Share)-[:RESHARE_OF]->(:Share) }
          ELSE COUNT { (v)-[:OPENED]->(:Share) } END AS n
WITH u, v, m, s, d, c, n, coalesce(m.influenceAlpha, 0.5) * s / d AS tieTerm,
     CASE WHEN n > 0 THEN coalesce(m.influenceBeta, 0.5) * c / n ELSE 0.0 END AS actTerm
WITH *, tieTerm + actTerm AS sum
OPTIONAL MATCH (u)-[r:INFLUENCES]->(v)
RETURN u.userId AS userId, v.userId AS friendId, round(s, 4) AS s, round(d, 4) AS d, c, n, round(tieTerm, 4) AS tieTerm,
       round(actTerm, 4) AS actTerm, round(CASE WHEN sum > 1.0 THEN 1.0 ELSE sum END, 4) AS formula,
       round(r.probability, 4) AS learned, m.modelVersion AS modelVersion
ORDER BY formula DESC, friendId
LIMIT 25
