// recommendation_inputs: all that a user's list is made of, from the live slot, in one statement
MATCH (u:User {userId: $user_id})
OPTIONAL MATCH (n:Published {key: 'live'})
WITH u, n.live AS live, coalesce('personalisation' IN u.consent, false) AS consented
WITH u, live, consented, live[0] = 'a' AS inA,
     COLLECT {
       WITH u, consented WHERE consented
       MATCH (u)-[r:VIEWED|LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED|HIDDEN]->(i:Item)
       WITH r, i, coalesce(r.occurredAt, r.lastAt) AS at
       ORDER BY at DESC
       LIMIT $most_seen
       RETURN [i.itemId, type(r), at.epochSeconds, r.rating, i]
     } AS acts,
     COLLECT {
       WITH u, consented WHERE consented
       MATCH (u)-[f:FRIEND]-(v:User)
       WITH u, f, v LIMIT $most_friends
       MATCH (v)-[:SHARED]->(s:Share)
       WHERE s.occurredAt >= datetime({epochSeconds: $shares_since_s})
         AND 'sharing' IN v.consent AND NOT EXISTS { (u)-[:BLOCKED]-(v) }
       MATCH (s)-[:OF_ITEM]->(i:Item)
       RETURN [i.itemId, v.userId, coalesce(f.strength, 1.0), s.occurredAt.epochSeconds]
       ORDER BY s.occurredAt DESC
       LIMIT $most_shares
     } AS shares
RETURN live, consented,
       CASE WHEN consented THEN u.birthDate END AS birthDate,
       CASE WHEN NOT consented THEN null WHEN inA THEN u.build_a ELSE u.build_b END AS build,
       CASE WHEN NOT consented THEN null WHEN inA THEN u.recommendedItems_a ELSE u.recommendedItems_b END AS items,
       CASE WHEN NOT consented THEN null WHEN inA THEN u.recommendedScores_a ELSE u.recommendedScores_b END AS scores,
       CASE WHEN NOT consented THEN null WHEN inA THEN u.recommendedReasons_a ELSE u.recommendedReasons_b END AS reasons,
       [a IN acts WHERE a[1] <> 'VIEWED' | a[0]] AS seen,
       [a IN [b IN acts WHERE b[2] IS NOT NULL][..$most_recent] |
        CASE WHEN a[2] < $similar_since_s THEN a[..4]
             WHEN inA THEN [a[0], a[1], a[2], a[3], (a[4]).build_a, (a[4]).similarItems_a[..$most_similar],
                            (a[4]).similarScores_a[..$most_similar]]
             ELSE [a[0], a[1], a[2], a[3], (a[4]).build_b, (a[4]).similarItems_b[..$most_similar],
                   (a[4]).similarScores_b[..$most_similar]] END] AS recent,
       shares

// user_inputs: what a user newer than the version is embedded from
MATCH (u:User {userId: $user_id})
RETURN COLLECT {
         MATCH (u)-[f:FRIEND]-(v:User)
         WHERE 'personalisation' IN v.consent AND NOT EXISTS { (u)-[:BLOCKED]-(v) }
         WITH v, coalesce(f.strength, 1.0) AS strength ORDER BY strength DESC LIMIT $most_friends
         RETURN [v.userId, strength, COLLECT {
           MATCH (v)-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED]->(i:Item)
           RETURN DISTINCT i.itemId LIMIT $most_acts
         }]
       } AS friends,
       [name IN keys(u)
        WHERE NOT (name ENDS WITH '_a' OR name ENDS WITH '_b' OR name IN ['embedding', 'consent', 'userId', 'ix'])
        | [name, u[name]]] AS attributes

// items_of_friends: what consenting friends acted on, the most friends first
MATCH (u:User {userId: $user_id})-[f:FRIEND]-(v:User)
WHERE 'personalisation' IN v.consent AND NOT EXISTS { (u)-[:BLOCKED]-(v) }
WITH v, coalesce(f.strength, 1.0) AS strength
LIMIT $most_friends
MATCH (v)-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED]->(i:Item)
WHERE coalesce(i.available, true) AND coalesce(i.stock, 1) > 0
WITH i, v, max(strength) AS strength
RETURN i.itemId AS itemId, sum(strength) AS score
ORDER BY score DESC, itemId
LIMIT $limit

// nearest_items: items of the live slot nearest to a vector of the same version
CYPHER 25
MATCH (n:Published {key: 'live'})
WITH n.live AS live
WITH {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
WHERE p.modelVersion = $model_version
CALL (p) {
  FILTER p.slot = 'a'
  MATCH (i:Item) SEARCH i IN (VECTOR INDEX item_embedding_a FOR $vector LIMIT $limit) SCORE AS score
  FILTER i.build_a = p.build
  RETURN i, score
  UNION ALL
  FILTER p.slot = 'b'
  MATCH (i:Item) SEARCH i IN (VECTOR INDEX item_embedding_b FOR $vector LIMIT $limit) SCORE AS score
  FILTER i.build_b = p.build
  RETURN i, score
}
RETURN i.itemId AS itemId, score, coalesce(i.available, true) AND coalesce(i.stock, 1) > 0 AS available
ORDER BY score DESC

// neighbours: the neighbours of these items in the live slot
MATCH (n:Published {key: 'live'})
WITH n.live AS live
WITH {slot: live[0], build: toInteger(live[1])} AS p
UNWIND $item_ids AS itemId
MATCH (i:Item {itemId: itemId})
WHERE CASE WHEN p.slot = 'a' THEN i.build_a ELSE i.build_b END = p.build
RETURN itemId, coalesce(CASE WHEN p.slot = 'a' THEN i.similarItems_a ELSE i.similarItems_b END, []) AS items,
       coalesce(CASE WHEN p.slot = 'a' THEN i.similarScores_a ELSE i.similarScores_b END, []) AS scores

// popular_items: available items by how many users acted on them
MATCH (i:Item)
WHERE coalesce(i.available, true) AND coalesce(i.stock, 1) > 0 AND NOT coalesce(i.stub, false)
WITH i, COUNT { (i)<-[:VIEWED]-() } + 3 * COUNT { (i)<-[:LIKED]-() } + 3 * COUNT { (i)<-[:SAVED]-() }
        + 4 * COUNT { (i)<-[:ADDED_TO_CART]-() } + 5 * COUNT { (i)<-[:PURCHASED]-() } AS acts
RETURN i.itemId AS itemId, i.category AS category, acts
ORDER BY acts DESC, itemId
LIMIT $limit

// similar_items: an item's neighbours in the live slot
MATCH (i:Item {itemId: $item_id})
OPTIONAL MATCH (n:Published {key: 'live'})
WITH i, n.live AS live
WITH i, {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
WITH i, p, p.slot = 'a' AS inA
WITH i, p, inA, coalesce(CASE WHEN inA THEN i.build_a ELSE i.build_b END = p.build, false) AS current
WITH i, p, current,
     CASE WHEN NOT current THEN [] WHEN inA THEN i.similarItems_a ELSE i.similarItems_b END AS items,
     CASE WHEN NOT current THEN [] WHEN inA THEN i.similarScores_a ELSE i.similarScores_b END AS scores
RETURN i.category AS category, p.modelVersion AS modelVersion, current, items, scores,
       COLLECT {
         UNWIND items AS itemId
         MATCH (n:Item {itemId: itemId})
         WHERE n.available = false OR n.stock = 0
         RETURN itemId
       } AS unavailable,
       [name IN keys(i)
        WHERE NOT (name ENDS WITH '_a' OR name ENDS WITH '_b' OR name IN ['embedding', 'itemId', 'ix'])
        | [name, i[name]]] AS attributes

// top_influencers: users of the live slot by influence, from a place in that order on
MATCH (n:Published {key: 'live'})
WITH n.live AS live
WITH {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
CALL (p) {
  WITH p WHERE p.slot = 'a'
  MATCH (u:User)
  WHERE u.influenceScore_a <= $score AND (u.influenceScore_a < $score OR u.userId > $user_id)
    AND u.build_a = p.build AND 'sharing' IN u.consent
  RETURN u.userId AS userId, u.influenceScore_a AS influenceScore, u.influencePercentile_a AS influencePercentile
  ORDER BY influenceScore DESC, userId
  LIMIT $limit
  UNION ALL
  WITH p WHERE p.slot = 'b'
  MATCH (u:User)
  WHERE u.influenceScore_b <= $score AND (u.influenceScore_b < $score OR u.userId > $user_id)
    AND u.build_b = p.build AND 'sharing' IN u.consent
  RETURN u.userId AS userId, u.influenceScore_b AS influenceScore, u.influencePercentile_b AS influencePercentile
  ORDER BY influenceScore DESC, userId
  LIMIT $limit
}
RETURN p.modelVersion AS modelVersion, p.publicationSeq AS publicationSeq, userId, influenceScore, influencePercentile
ORDER BY influenceScore DESC, userId

// category_influencers: of the most influential users those active in a category, by influence times share of acts
MATCH (n:Published {key: 'live'})
WITH n.live AS live
WITH {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
CALL (p) {
  WITH p WHERE p.slot = 'a'
  MATCH (u:User)
  WHERE u.influenceScore_a > 0 AND u.build_a = p.build AND 'sharing' IN u.consent
  RETURN u, u.influenceScore_a AS influenceScore, u.influencePercentile_a AS influencePercentile
  ORDER BY influenceScore DESC
  LIMIT $considered
  UNION ALL
  WITH p WHERE p.slot = 'b'
  MATCH (u:User)
  WHERE u.influenceScore_b > 0 AND u.build_b = p.build AND 'sharing' IN u.consent
  RETURN u, u.influenceScore_b AS influenceScore, u.influencePercentile_b AS influencePercentile
  ORDER BY influenceScore DESC
  LIMIT $considered
}
CALL (u) {
  MATCH (u)-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED]->(i:Item)
  WITH i LIMIT $most_acts
  RETURN count(*) AS acts, sum(CASE WHEN i.category = $category THEN 1 ELSE 0 END) AS inCategory
}
WITH p, u, influenceScore, influencePercentile, acts, inCategory
WHERE inCategory > 0
RETURN p.modelVersion AS modelVersion, p.publicationSeq AS publicationSeq, u.userId AS userId, influenceScore,
       influencePercentile, influenceScore * inCategory / acts AS categoryScore
ORDER BY categoryScore DESC, userId
LIMIT $limit

// published: the live version
MATCH (n:Published {key: 'live'})
WITH n.live AS live
WITH {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
RETURN p.modelVersion AS modelVersion, p.publicationSeq AS publicationSeq

// user_influence: a user's influence in the live slot, whom it works on, and what has passed between them
MATCH (u:User {userId: $user_id})
OPTIONAL MATCH (n:Published {key: 'live'})
WITH u, n.live AS live
WITH u, {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
WITH u, p, p.slot = 'a' AS inA, coalesce('sharing' IN u.consent, false) AS consented
WITH u, p, inA, consented,
     consented AND coalesce(CASE WHEN inA THEN u.build_a ELSE u.build_b END = p.build, false) AS current
WITH u, p, consented, current,
     CASE WHEN NOT current THEN null WHEN inA THEN u.influenceScore_a ELSE u.influenceScore_b END AS score,
     CASE WHEN NOT current THEN null WHEN inA THEN u.influencePercentile_a ELSE u.influencePercentile_b END AS percentile,
     CASE WHEN NOT current THEN null WHEN inA THEN u.influenceError_a ELSE u.influenceError_b END AS error,
     CASE WHEN NOT current THEN [] WHEN inA THEN u.influencesUsers_a ELSE u.influencesUsers_b END AS users,
     CASE WHEN NOT current THEN [] WHEN inA THEN u.influencesProbabilities_a ELSE u.influencesProbabilities_b END AS chances
RETURN p.modelVersion AS modelVersion, consented, score, percentile, error,
       COLLECT {
         UNWIND range(0, size(users) - 1) AS n
         MATCH (v:User {userId: users[n]})
         WHERE 'sharing' IN v.consent
         RETURN {userId: users[n], probability: chances[n],
                 friendship: head(COLLECT { MATCH (u)-[f:FRIEND]-(v) RETURN coalesce(f.strength, 1.0) }),
                 follows: EXISTS { (v)-[:FOLLOWS]->(u) }}
       } AS influences,
       COLLECT {
         MATCH (u)-[:SHARED]->(s:Share)
         WHERE size(users) > 0
         WITH s LIMIT $most_shares
         CALL (s) {
           MATCH (s)<-[:RESHARE_OF]-(:Share)<-[:SHARED]-(v:User) RETURN v.userId AS userId, 0 AS act
           UNION ALL
           MATCH (s)<-[:OPENED]-(v:User) RETURN v.userId AS userId, 1 AS act
           UNION ALL
           MATCH (s)-[:SENT_TO]->(v:User) RETURN v.userId AS userId, 2 AS act
         }
         WITH userId, act, count(*) AS times
         WHERE userId IN users
         RETURN [userId, act, times]
       } AS passed

// user_profile: a user's attributes, acts by type, favourite categories and brands, ties and influence
MATCH (u:User {userId: $user_id})
OPTIONAL MATCH (n:Published {key: 'live'})
WITH u, n.live AS live
WITH u, {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
WITH u, p, p.slot = 'a' AS inA, coalesce(size(u.consent) > 0, false) AS consented
WITH u, p, inA, consented,
     consented AND coalesce(CASE WHEN inA THEN u.build_a ELSE u.build_b END = p.build, false) AS current
RETURN toString(u.createdAt) AS createdAt, coalesce(u.consent, []) AS consent, coalesce(u.stub, false) AS stub,
       [name IN keys(u) WHERE NOT (name ENDS WITH '_a' OR name ENDS WITH '_b') | [name, u[name]]] AS properties,
       {view: COUNT { (u)-[:VIEWED]->() }, like: COUNT { (u)-[:LIKED]->() }, comment: COUNT { (u)-[:COMMENTED]->() },
        save: COUNT { (u)-[:SAVED]->() }, addToCart: COUNT { (u)-[:ADDED_TO_CART]->() },
        purchase: COUNT { (u)-[:PURCHASED]->() }, rate: COUNT { (u)-[:RATED]->() }, hide: COUNT { (u)-[:HIDDEN]->() },
        share: COUNT { (u)-[:SHARED]->() }, open: COUNT { (u)-[:OPENED]->() }} AS counts,
       COUNT { (u)-[:FRIEND]-() } AS friends, COUNT { (u)<-[:FOLLOWS]-() } AS followers,
       COUNT { (u)-[:FOLLOWS]->() } AS following,
       COLLECT {
         WITH u, consented WHERE consented
         MATCH (u)-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED]->(i:Item)
         WITH i LIMIT $most_acts
         WITH i.category AS category, count(*) AS acts
         WHERE category IS NOT NULL
         RETURN {category: category, count: acts} ORDER BY acts DESC, category LIMIT $most_top
       } AS topCategories,
       COLLECT {
         WITH u, consented WHERE consented
         MATCH (u)-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED]->(i:Item)
         WITH i LIMIT $most_acts
         WITH i.brand AS brand, count(*) AS acts
         WHERE brand IS NOT NULL
         RETURN {brand: brand, count: acts} ORDER BY acts DESC, brand LIMIT $most_top
       } AS topBrands,
       CASE WHEN NOT current THEN null WHEN inA THEN u.influenceScore_a ELSE u.influenceScore_b END AS influenceScore,
       CASE WHEN NOT current THEN null WHEN inA THEN u.influencePercentile_a ELSE u.influencePercentile_b
       END AS influencePercentile,
       CASE WHEN current THEN p.modelVersion END AS modelVersion

// user_exists: whether there is such a user
MATCH (u:User {userId: $user_id})
RETURN u.userId AS userId

// item_exists: whether there is such an item
MATCH (i:Item {itemId: $item_id})
RETURN i.itemId AS itemId

// items_by_text: items by words of title, description, category and brand, best first
CALL db.index.fulltext.queryNodes('item_text', $words, {limit: $most_hits}) YIELD node AS i, score
WHERE ($category IS NULL OR i.category = $category) AND ($tag IS NULL OR $tag IN i.tags)
WITH i, score ORDER BY score DESC, i.itemId
SKIP $skip LIMIT $limit
RETURN i {.itemId, .kind, .title, .category, .brand, .priceMinor, .currency, .rating, .available, .stock, .tags} AS item

// items_in_category: items of a category by id, from an id on
MATCH (i:Item {category: $category})
WHERE i.itemId > $after AND ($tag IS NULL OR $tag IN i.tags)
WITH i ORDER BY i.itemId LIMIT $limit
RETURN i {.itemId, .kind, .title, .category, .brand, .priceMinor, .currency, .rating, .available, .stock, .tags} AS item

// items_by_id: items by id, from an id on
MATCH (i:Item)
WHERE i.itemId > $after AND ($tag IS NULL OR $tag IN i.tags)
WITH i ORDER BY i.itemId LIMIT $limit
RETURN i {.itemId, .kind, .title, .category, .brand, .priceMinor, .currency, .rating, .available, .stock, .tags} AS item

// some_users: ids of a few users, whoever comes first
MATCH (u:User)
RETURN u.userId AS userId
LIMIT $limit
