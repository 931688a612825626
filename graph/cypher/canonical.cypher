// start: the slot to copy from, if this build is the live one
MATCH (p:Published {key: 'live'})
WHERE p.build = $build
RETURN p.slot AS slot, p.modelVersion AS modelVersion

// users: copies the live slot's rows of the next users by userId to the names that analysts use
CYPHER 25
MATCH (u:User)
WHERE u.userId > $after
WITH u ORDER BY u.userId LIMIT $limit
WITH u, coalesce(u['build_' + $slot] = $build AND 'personalisation' IN u.consent, false) AS valid
SET u.embedding = CASE WHEN valid THEN u['embedding_' + $slot] END,
    u.influenceScore = CASE WHEN valid THEN u['influenceScore_' + $slot] END,
    u.influencePercentile = CASE WHEN valid THEN u['influencePercentile_' + $slot] END,
    u.influenceError = CASE WHEN valid THEN u['influenceError_' + $slot] END,
    u.modelVersion = CASE WHEN valid THEN $model_version END
WITH u, valid
CALL (u) {
  MATCH (u)-[r:RECOMMENDED|INFLUENCES]->()
  DELETE r
}
CALL (u, valid) {
  WITH u, u['recommendedItems_' + $slot] AS items, u['recommendedScores_' + $slot] AS scores,
       u['recommendedReasons_' + $slot] AS reasons
  WHERE valid
  UNWIND range(0, coalesce(size(items[..$length]), 0) - 1) AS k
  MATCH (i:Item {itemId: items[k]})
  CREATE (u)-[:RECOMMENDED {rank: k + 1, score: 1.0 / (1.0 + exp(-scores[k])), modelVersion: $model_version,
    reasons: [code IN [reasons[k] / 256, reasons[k] % 256] WHERE code < size($reason_names) | $reason_names[code]]}]->(i)
}
CALL (u, valid) {
  WITH u, u['influencesUsers_' + $slot] AS users, u['influencesProbabilities_' + $slot] AS probabilities
  WHERE valid
  UNWIND range(0, coalesce(size(users[..$length]), 0) - 1) AS k
  MATCH (v:User {userId: users[k]})
  WHERE 'personalisation' IN v.consent AND 'sharing' IN v.consent
  CREATE (u)-[:INFLUENCES {probability: probabilities[k], modelVersion: $model_version}]->(v)
}
RETURN count(u) AS copied, max(u.userId) AS last

// items: copies the live slot's rows of the next items by itemId to the names that analysts use
CYPHER 25
MATCH (i:Item)
WHERE i.itemId > $after
WITH i ORDER BY i.itemId LIMIT $limit
WITH i, coalesce(i['build_' + $slot] = $build, false) AS valid
SET i.embedding = CASE WHEN valid THEN i['embedding_' + $slot] END,
    i.modelVersion = CASE WHEN valid THEN $model_version END
WITH i, valid
CALL (i) {
  MATCH (i)-[r:SIMILAR]->()
  DELETE r
}
CALL (i, valid) {
  WITH i, i['similarItems_' + $slot] AS items, i['similarScores_' + $slot] AS scores
  WHERE valid
  UNWIND range(0, coalesce(size(items[..$length]), 0) - 1) AS k
  MATCH (j:Item {itemId: items[k]})
  CREATE (i)-[:SIMILAR {score: scores[k], modelVersion: $model_version}]->(j)
}
RETURN count(i) AS copied, max(i.itemId) AS last

// influential: per category the users with the largest influence times smoothed share of their positives in it
CYPHER 25
MATCH (u:User)
WHERE u['influenceScore_' + $slot] IS NOT NULL AND u['build_' + $slot] = $build AND 'sharing' IN u.consent
WITH u, u['influenceScore_' + $slot] AS influence ORDER BY influence DESC LIMIT $candidates
CALL (u) {
  MATCH (u)-[r:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED]->(i:Item)
  WHERE i.category IS NOT NULL
  WITH i.category AS category, count(r) AS positives
  WITH collect({category: category, positives: positives}) AS parts, sum(positives) AS total
  UNWIND parts AS part
  RETURN part.category AS category, toFloat(part.positives) / (total + $prior) AS share
}
WITH category, u.userId AS userId, influence * share AS score ORDER BY score DESC
WITH category, collect({id: userId, score: score})[..$length] AS users ORDER BY category LIMIT $categories
RETURN category, users

// write_influential: replaces the influential users of one category
MERGE (c:Category {name: $category})
WITH c
CALL (c) {
  MATCH (c)<-[r:INFLUENTIAL_IN]-()
  DELETE r
}
CALL (c) {
  UNWIND $users AS row
  MATCH (u:User {userId: row.id})
  WHERE 'personalisation' IN u.consent AND 'sharing' IN u.consent
  CREATE (u)-[:INFLUENTIAL_IN {score: row.score, modelVersion: $model_version}]->(c)
}
RETURN c.name AS category

// clear_categories: takes the influential users of an older version from categories that have none now
MATCH (c:Category)<-[r:INFLUENTIAL_IN]-()
WHERE r.modelVersion <> $model_version
WITH r LIMIT $limit
DELETE r
RETURN count(r) AS cleared

// clear_personal: takes the published names from users who took their consent to personalisation back meanwhile
MATCH (u:User)
WHERE u.modelVersion IS NOT NULL AND NOT 'personalisation' IN coalesce(u.consent, [])
WITH u LIMIT $limit
SET u.embedding = null, u.influenceScore = null, u.influencePercentile = null, u.influenceError = null,
    u.modelVersion = null
WITH u
CALL (u) {
  OPTIONAL MATCH (u)-[r:RECOMMENDED|INFLUENCES|INFLUENTIAL_IN]-()
  DELETE r
}
RETURN count(u) AS cleared

// clear_shared: takes the influence from users who took their consent to sharing back meanwhile
MATCH (u:User)
WHERE NOT 'sharing' IN coalesce(u.consent, [])
  AND (u.influenceScore IS NOT NULL OR EXISTS { (u)-[:INFLUENCES|INFLUENTIAL_IN]-() })
WITH u LIMIT $limit
SET u.influenceScore = null, u.influencePercentile = null, u.influenceError = null
WITH u
CALL (u) {
  OPTIONAL MATCH (u)-[r:INFLUENCES|INFLUENTIAL_IN]-()
  DELETE r
}
RETURN count(u) AS cleared

// done: notes that the names of analysts are those of this build
MATCH (w:KithPublication {key: 'publication'})
SET w.canonicalBuild = $build
