// Where do a user's shares go?
// Whom a user's shares reach in up to three steps along INFLUENCES, each by the most likely way.
// param userId: whose shares; null takes the user whose shares reach most others
// columns: userId, reaches, via, steps, probability, modelVersion
WITH null AS userId
OPTIONAL CALL () {
  MATCH (top:User)
  WHERE top.influenceScore > 0 AND 'analytics' IN top.consent
  RETURN top.userId AS topUserId ORDER BY top.influenceScore DESC LIMIT 1
}
MATCH (u:User {userId: coalesce(userId, topUserId)})
WHERE 'analytics' IN u.consent
MATCH path = (u)-[:INFLUENCES]->{1, 3}(v:User)
WHERE all(n IN nodes(path) WHERE 'analytics' IN n.consent AND single(m IN nodes(path) WHERE m = n))
WITH u, v, path, reduce(chance = 1.0, step IN relationships(path) | chance * step.probability) AS probability
ORDER BY probability DESC, length(path)
WITH u, v, collect(path)[0] AS path, max(probability) AS probability
RETURN u.userId AS userId, v.userId AS reaches, [n IN nodes(path)[1..-1] | n.userId] AS via, length(path) AS steps,
       round(probability, 4) AS probability, head(relationships(path)).modelVersion AS modelVersion
ORDER BY probability DESC, steps, reaches
LIMIT 25
