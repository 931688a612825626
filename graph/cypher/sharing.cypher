// history: who sent what to whom around a user and an item, a row per share, newest first; everybody in it agrees to sharing
MATCH (u:User {userId: $user_id})
MATCH (i:Item {itemId: $item_id})
WITH u, i, coalesce('sharing' IN u.consent, false) AS consented, datetime({epochSeconds: 0}) AS never
WITH u, i, never,
     COLLECT {
       WITH u, consented WHERE consented
       MATCH (u)-[f:FRIEND]-(v:User)
       WITH u, v, coalesce(f.strength, 1.0) AS strength LIMIT $most_friends
       WHERE 'sharing' IN v.consent AND NOT EXISTS { (u)-[:BLOCKED]-(v) }
       RETURN [v, strength] ORDER BY strength DESC
     } AS ties,
     COLLECT {
       WITH u, never, consented WHERE consented
       MATCH (u)-[:SHARED]->(s:Share)
       WITH s, never LIMIT $most_looked_at
       RETURN s ORDER BY coalesce(s.occurredAt, never) DESC LIMIT $most_own
     } AS sent,
     COLLECT {
       WITH u, never, consented WHERE consented
       MATCH (u)<-[:SENT_TO]-(s:Share)
       WITH s, never LIMIT $most_looked_at
       RETURN s ORDER BY coalesce(s.occurredAt, never) DESC LIMIT $most_own
     } AS received,
     COLLECT {
       WITH i, never, consented WHERE consented
       MATCH (i)<-[:OF_ITEM]-(s:Share)
       WITH s, never LIMIT $most_looked_at
       RETURN s ORDER BY coalesce(s.occurredAt, never) DESC LIMIT $most_of_item
     } AS ofItem
WITH u, never, ties, sent, received, ofItem,
     COLLECT {
       CALL (ties, sent, received) {
         UNWIND range(0, size(sent) - 1) AS place
         WITH place, sent[place] AS s
         CALL (s) { MATCH (s)-[:SENT_TO]->(v:User) RETURN v LIMIT $most_recipients }
         RETURN v, place
         UNION ALL
         UNWIND range(0, size(received) - 1) AS place
         WITH place, received[place] AS s
         MATCH (s)<-[:SHARED]-(v:User)
         RETURN v, place
         UNION ALL
         UNWIND ties AS tie
         RETURN tie[0] AS v, $most_own AS place
       }
       WITH u, v, min(place) AS place
       WHERE v <> u AND 'sharing' IN v.consent AND NOT EXISTS { (u)-[:BLOCKED]-(v) }
       RETURN v ORDER BY place, v.userId LIMIT $most_partners
     } AS partners
CALL (u, never, sent, received, ofItem, partners) {
  UNWIND sent + ofItem AS s
  CALL (s) { MATCH (s)-[:SENT_TO]->(v:User) RETURN v LIMIT $most_recipients }
  RETURN s, v
  UNION
  UNWIND received AS s
  RETURN s, u AS v
  UNION
  UNWIND partners AS p
  CALL (p, never) {
    MATCH (p)-[:SHARED]->(s:Share)
    WITH s, never LIMIT $most_looked_at_each
    RETURN s ORDER BY coalesce(s.occurredAt, never) DESC LIMIT $most_of_partner
  }
  CALL (s) { MATCH (s)-[:SENT_TO]->(v:User) RETURN v LIMIT $most_recipients }
  RETURN s, v
  UNION
  UNWIND partners AS v
  CALL (v, never) {
    MATCH (v)<-[:SENT_TO]-(s:Share)
    WITH s, never LIMIT $most_looked_at_each
    RETURN s ORDER BY coalesce(s.occurredAt, never) DESC LIMIT $most_of_partner
  }
  RETURN s, v
  UNION
  RETURN null AS s, null AS v
}
WITH ties, partners, never, s, v ORDER BY coalesce(s.occurredAt, never) DESC LIMIT $most_events
WITH ties, partners, s, collect(v) AS recipients
OPTIONAL MATCH (w:User)-[:SHARED]->(s)-[:OF_ITEM]->(j:Item)
WHERE 'sharing' IN w.consent
WITH ties, partners, w.userId AS sender, j.itemId AS item, coalesce(s.occurredAt.epochSeconds, -1) AS at,
     [v IN recipients WHERE w IS NOT NULL AND 'sharing' IN v.consent] AS recipients,
     COLLECT { MATCH (s)<-[:OPENED]-(o:User) RETURN o LIMIT $most_openers } AS openers
RETURN [tie IN ties | [(tie[0]).userId, tie[1]]] AS friends, [p IN partners | p.userId] AS partners,
       collect([sender, item, at, [v IN recipients | v.userId], [v IN recipients | v IN openers]]) AS shares

// people: of these users those to whom a user may send an item, with what their chance to act is made of
MATCH (u:User {userId: $user_id})
MATCH (i:Item {itemId: $item_id})
OPTIONAL MATCH (n:Published {key: 'live'})
WITH u, i, n.live AS live, datetime.realtime() - duration({minutes: $cap_minutes}) AS since
WITH u, i, since, {slot: live[0], build: toInteger(live[1]), modelVersion: live[2]} AS p
WITH u, i, since, p, p.slot = 'a' AS inA,
     COLLECT {
       MATCH (i)<-[:OF_ITEM]-(s:Share)
       WITH s LIMIT $most_sharers
       MATCH (s)<-[:SHARED]-(w:User)
       WHERE 'sharing' IN w.consent
       RETURN DISTINCT w.userId
     } AS sharers,
     COLLECT {
       MATCH (u)-[:SHARED]->(s:Share)-[:OF_ITEM]->(i)
       MATCH (s)-[:SENT_TO]->(v:User)
       RETURN DISTINCT v.userId LIMIT $most_got
     } AS got
UNWIND $ids AS id
MATCH (v:User {userId: id})
WHERE v <> u AND 'sharing' IN u.consent AND 'sharing' IN v.consent AND NOT v.userId IN got
  AND NOT EXISTS { (u)-[:BLOCKED]-(v) } AND NOT EXISTS { (v)-[:PURCHASED|HIDDEN]->(i) }
WITH u, i, p, inA, sharers, v, $cap > 0 AND $cap <= COUNT {
       MATCH (v)<-[:SENT_TO]-(s:Share)
       WITH s, since LIMIT $most_received
       WHERE s.occurredAt >= since
       RETURN s LIMIT $cap
     } AS capped
WITH u, i, p, inA, v, capped, coalesce('personalisation' IN v.consent, false) AS personal,
     coalesce(CASE WHEN inA THEN v.build_a = p.build AND i.build_a = p.build
                   ELSE v.build_b = p.build AND i.build_b = p.build END, false) AS current,
     COLLECT {
       WITH u, v, sharers, capped WHERE NOT capped
       MATCH (v)-[f:FRIEND]-(w:User)
       WITH u, v, sharers, f, w LIMIT $most_friends
       WHERE 'sharing' IN w.consent
       RETURN [coalesce(f.strength, 1.0), w = u,
               w = u OR (w.userId IN sharers AND NOT EXISTS { (v)-[:BLOCKED]-(w) }), w.userId]
     } AS ties
RETURN v.userId AS userId, p.modelVersion AS modelVersion, capped,
       personal AND coalesce('personalisation' IN u.consent, false) AS personal,
       reduce(sum = 0.0, t IN ties | sum + t[0]) AS tiesStrength,
       reduce(sum = 0.0, t IN ties | sum + CASE WHEN t[2] THEN t[0] ELSE 0.0 END) AS sharersStrength,
       reduce(own = null, t IN ties | CASE WHEN t[1] THEN t[0] ELSE own END) AS strength,
       [t IN ties WHERE t[2] AND NOT t[1] | [t[3], t[0]]] AS sharers, size(ties) AS friends,
       CASE WHEN capped OR NOT current OR NOT personal THEN null
            WHEN inA THEN vector.similarity.cosine(v.embedding_a, i.embedding_a)
            ELSE vector.similarity.cosine(v.embedding_b, i.embedding_b) END AS interest

// strangers: users near a user in the embedding of the live version, and users who acted on items of an item's category
CYPHER 25
MATCH (u:User {userId: $user_id})
MATCH (i:Item {itemId: $item_id})
OPTIONAL MATCH (n:Published {key: 'live'})
WITH u, i, n.live AS live
WITH u, i, {slot: live[0], build: toInteger(live[1])} AS p, 'sharing' IN u.consent AS consented
CALL (u, i, p, consented) {
  FILTER consented AND p.slot = 'a' AND u.build_a = p.build AND u.embedding_a IS NOT NULL
  MATCH (v:User) SEARCH v IN (VECTOR INDEX user_embedding_a FOR u.embedding_a LIMIT $limit) SCORE AS similarity
  FILTER v.build_a = p.build
  RETURN v, similarity, 0 AS acts
  UNION ALL
  FILTER consented AND p.slot = 'b' AND u.build_b = p.build AND u.embedding_b IS NOT NULL
  MATCH (v:User) SEARCH v IN (VECTOR INDEX user_embedding_b FOR u.embedding_b LIMIT $limit) SCORE AS similarity
  FILTER v.build_b = p.build
  RETURN v, similarity, 0 AS acts
  UNION ALL
  FILTER consented AND i.category IS NOT NULL
  WITH i, CASE WHEN p.slot = 'a' AND i.build_a = p.build THEN i.similarItems_a
               WHEN p.slot = 'b' AND i.build_b = p.build THEN i.similarItems_b END AS near
  CALL (i, near) {
    UNWIND [i.itemId] + coalesce(near, []) AS itemId
    MATCH (j:Item {itemId: itemId})
    FILTER j.category = i.category
    RETURN j
    UNION
    MATCH (j:Item {category: i.category})
    RETURN j LIMIT $most_items
  }
  WITH j LIMIT $most_items
  CALL (j) {
    MATCH (j)<-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED]-(v:User)
    RETURN v LIMIT $most_actors
  }
  RETURN v, null AS similarity, count(DISTINCT j) AS acts
  ORDER BY acts DESC, v.userId
  LIMIT $limit
}
FILTER v <> u AND 'sharing' IN v.consent AND 'personalisation' IN v.consent AND NOT v.userId IN $known
RETURN v.userId AS userId, max(similarity) AS similarity, max(acts) AS acts
ORDER BY userId
