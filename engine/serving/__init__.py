"""What serving needs of a model, in numpy: embeddings of newcomers, scores and reasons, live scores, share targets."""
