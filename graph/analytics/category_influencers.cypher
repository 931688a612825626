// Influencers per category
// The five users per category whose influence, weighted by how much of what they like lies there, is largest.
// param category: one category; null shows all
// columns: category, userId, score, influenceScore, influencePercentile, modelVersion
// scans: Category (all of them are asked for, and a shop has few)
WITH null AS category
MATCH (c:Category)
WHERE category IS NULL OR c.name = category
CALL (c) {
  MATCH (c)<-[r:INFLUENTIAL_IN]-(u:User)
  WHERE 'analytics' IN u.consent
  RETURN u, r ORDER BY r.score DESC, u.userId LIMIT 5
}
RETURN c.name AS category, u.userId AS userId, r.score AS score, u.influenceScore AS influenceScore,
       u.influencePercentile AS influencePercentile, r.modelVersion AS modelVersion
ORDER BY category, score DESC, userId
