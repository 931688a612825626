"""Who passes it on: edge probabilities and the explainable formula."""
