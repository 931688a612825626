// candidates: users whom an item may be shown to, with what ranks them; one row without a user if there are none
CYPHER 25
MATCH (i:Item {itemId: $item_id})
OPTIONAL MATCH (n:Published {key: 'live'})
WITH i, n.live AS live
WITH i, {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
WITH i, p, p.slot = 'a' AS inA, coalesce(i.available, true) AND coalesce(i.stock, 1) > 0 AS available,
     datetime({epochSeconds: $now_s}) AS now
WITH i, p, inA, available, now,
     coalesce(CASE WHEN inA THEN i.build_a = p.build ELSE i.build_b = p.build END, false) AS current
WITH i, p, inA, available, now, current,
     CASE WHEN NOT current THEN $vector WHEN inA THEN i.embedding_a ELSE i.embedding_b END AS vector,
     COLLECT {
       WITH i, available WHERE available
       MATCH (i)<-[:VIEWED|LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED|HIDDEN]-(w:User)
       RETURN w LIMIT $most_looked_at
     } AS met
CALL (i, p, available, vector, now) {
  FILTER available
  MATCH (i)<-[r:RECOMMENDED]-(v:User)
  WITH r, v LIMIT $most_looked_at
  WITH v, r ORDER BY r.score DESC LIMIT $most_listed
  RETURN v, CASE WHEN r.modelVersion = p.modelVersion THEN r.score END AS chance, null AS similarity, null AS act
  UNION ALL
  FILTER available AND p.slot = 'a' AND vector IS NOT NULL
  MATCH (v:User) SEARCH v IN (VECTOR INDEX user_embedding_a FOR vector LIMIT $most_near) SCORE AS similarity
  FILTER v.build_a = p.build
  RETURN v, null AS chance, similarity, null AS act
  UNION ALL
  FILTER available AND p.slot = 'b' AND vector IS NOT NULL
  MATCH (v:User) SEARCH v IN (VECTOR INDEX user_embedding_b FOR vector LIMIT $most_near) SCORE AS similarity
  FILTER v.build_b = p.build
  RETURN v, null AS chance, similarity, null AS act
  UNION ALL
  FILTER available
  MATCH (i)<-[r:VIEWED|LIKED|COMMENTED|SAVED|ADDED_TO_CART]-(v:User)
  WITH v, type(r) AS kind, coalesce(r.occurredAt, r.lastAt) AS at, now LIMIT $most_looked_at
  FILTER at > now - duration({seconds: $acts_s})
  WITH v, kind, at ORDER BY at DESC LIMIT $most_acting
  RETURN v, null AS chance, null AS similarity, [kind, at.epochSeconds] AS act
  UNION ALL
  RETURN null AS v, null AS chance, null AS similarity, null AS act
}
WITH i, p, inA, available, current, vector, met, v, max(chance) AS chance, max(similarity) AS similarity,
     collect(act) AS acts
FILTER v IS NULL OR ('personalisation' IN v.consent AND NOT EXISTS { (v)-[:PURCHASED|HIDDEN]->(i) })
WITH i, p, available, current, inA, vector, met, v, chance, similarity, acts,
     coalesce(CASE WHEN inA THEN v.build_a = p.build ELSE v.build_b = p.build END, false) AS known,
     coalesce('sharing' IN v.consent, false) AS shares,
     COLLECT { MATCH (v)-[:BLOCKED]-(b:User) RETURN b LIMIT $most_looked_at } AS blocked
WITH i, p, available, current, inA, vector, met, v, chance, similarity, acts, known, shares, blocked,
     CASE WHEN NOT known OR chance IS NOT NULL THEN [] WHEN inA THEN v.recommendedItems_a ELSE v.recommendedItems_b
     END AS listed,
     CASE WHEN NOT known OR chance IS NOT NULL THEN [] WHEN inA THEN v.recommendedScores_a ELSE v.recommendedScores_b
     END AS scores
RETURN p.modelVersion AS modelVersion, p.publicationSeq AS publicationSeq, available, current,
       v.userId AS userId, acts, chance,
       coalesce(similarity,
         CASE WHEN vector IS NULL OR NOT known THEN null
              WHEN inA THEN vector.similarity.cosine(v.embedding_a, vector)
              ELSE vector.similarity.cosine(v.embedding_b, vector) END) AS similarity,
       CASE WHEN i.itemId IN listed
            THEN [n IN range(0, size(listed) - 1) WHERE listed[n] = i.itemId | scores[n]][0] END AS listedScore,
       scores[-1] AS lastScore,
       CASE WHEN NOT known OR NOT shares THEN null WHEN inA THEN v.influenceScore_a ELSE v.influenceScore_b
       END AS influence,
       CASE WHEN NOT known OR NOT shares THEN null WHEN inA THEN v.influencePercentile_a
            ELSE v.influencePercentile_b END AS percentile,
       COLLECT {
         WITH v, shares, blocked, met WHERE shares
         MATCH (v)-[:FRIEND]-(w:User)
         WITH blocked, met, w LIMIT $most_friends
         WHERE 'sharing' IN w.consent AND NOT w IN blocked
         RETURN w IN met
       } AS friendsSeen

// item: what an item newer than the live version is embedded from
MATCH (i:Item {itemId: $item_id})
OPTIONAL MATCH (n:Published {key: 'live'})
RETURN n.live[2] AS modelVersion,
       [name IN keys(i)
        WHERE NOT (name ENDS WITH '_a' OR name ENDS WITH '_b' OR name IN ['embedding', 'itemId', 'ix'])
        | [name, i[name]]] AS attributes
