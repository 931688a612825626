// Will an item reach a user?
// P(i->j) = alpha S / D + beta C / N of users with friends who shared an item, term by term.
// param itemId: which item; null takes that of the newest share with somebody left to reach
// columns: itemId, userId, sharers, s, d, c, n, tieTerm, interestTerm, probability, modelVersion
WITH null AS itemId
OPTIONAL CALL () {
  MATCH (newest:Share)-[:OF_ITEM]->(one:Item)
  WHERE newest.occurredAt IS NOT NULL AND EXISTS {
    MATCH (newest)<-[:SHARED]-(by:User)-[:FRIEND]-(left:User)
    WHERE 'analytics' IN by.consent AND 'analytics' IN left.consent
      AND NOT EXISTS { (left)-[:SHARED]->(:Share)-[:OF_ITEM]->(one) }
  }
  RETURN one.itemId AS newestItemId ORDER BY newest.occurredAt DESC LIMIT 1
}
MATCH (i:Item {itemId: coalesce(itemId, newestItemId)})
CALL (i) {
  MATCH (i)<-[:OF_ITEM]-(:Share)<-[:SHARED]-(sharer:User)
  WHERE 'analytics' IN sharer.consent
  RETURN DISTINCT sharer LIMIT 1000
}
WITH i, collect(sharer) AS passedOn
UNWIND passedOn AS sharer
MATCH (sharer)-[:FRIEND]-(j:User)
WHERE 'analytics' IN j.consent AND NOT j IN passedOn
WITH DISTINCT i, passedOn, j
WITH i, j,
     COLLECT {
       MATCH (j)-[f:FRIEND]-(friend:User)
       RETURN [coalesce(f.strength, 1.0), friend IN passedOn]
     } AS ties,
     CASE WHEN i.embedding IS NOT NULL AND j.embedding IS NOT NULL
          THEN vector.similarity.cosine(i.embedding, j.embedding) END AS c
OPTIONAL MATCH (m:ModelVersion {modelVersion: j.modelVersion})
WITH i, j, m, coalesce(c, 0.0) AS c, size(ties) AS n, size([tie IN ties WHERE tie[1]]) AS sharers,
     reduce(sum = 0.0, tie IN ties | sum + CASE WHEN tie[1] THEN tie[0] ELSE 0.0 END) AS s,
     reduce(sum = 0.0, tie IN ties | sum + tie[0]) AS d
WITH i, j, m, sharers, s, d, c, n,
     coalesce(m.propagationAlpha, 0.5) * CASE WHEN d > 0 THEN s / d ELSE 0.0 END AS tieTerm,
     coalesce(m.propagationBeta, 0.5) * c / n AS interestTerm
WITH *, tieTerm + interestTerm AS sum
RETURN i.itemId AS itemId, j.userId AS userId, sharers, round(s, 4) AS s, round(d, 4) AS d, round(c, 4) AS c, n,
       round(tieTerm, 4) AS tieTerm, round(interestTerm, 4) AS interestTerm,
       round(CASE WHEN sum > 1.0 THEN 1.0 ELSE sum END, 4) AS probability, m.modelVersion AS modelVersion
ORDER BY probability DESC, userId
LIMIT 25
