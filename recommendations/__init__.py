"""The recommender: catalogue, interactions, algorithms, the build pipeline and the answers."""
